/**
 * From pairwise comparisons to a property of a latent: in how many other seeds is it shared? Pure functions on
 * lists of shared pairs; sharedLinks.ts reads those from the store.
 */
import { LazyscopeError } from '../errors.ts';

/** One dictionary of a group, usually one seed of a run. */
export interface SeedDictionary {
  /** Unique in the group, for example `run/seed`. */
  readonly key: string;
  readonly latents: number;
}

/** A comparison of two dictionaries: for each latent of `a` the latent of `b` it is shared with, −1 for none. */
export interface SharedLink {
  readonly a: string;
  readonly b: string;
  readonly counterpart: Int32Array;
}

export interface SeedStability {
  readonly key: string;
  /** Number of other dictionaries that this one was compared with. */
  readonly compared: number;
  /** [latents]: share of those in which the latent is shared; NaN when there are none. */
  readonly stability: Float64Array;
  /** Latents shared with no other dictionary; empty when there was no comparison. */
  readonly orphans: Int32Array;
}

/** The stability of every latent of every dictionary. Sharing is symmetric, so one comparison serves both of its dictionaries. Throws 'bad_input' for links outside the group. */
export function latentStability(
  seeds: readonly SeedDictionary[],
  links: readonly SharedLink[],
): SeedStability[] {
  const group = groupOf(seeds, links);
  return seeds.map(({ key, latents }, s) => {
    const counts = new Float64Array(latents);
    let compared = 0;
    for (let other = 0; other < seeds.length; other++) {
      const counterpart = other === s ? undefined : group.counterpart(s, other);
      if (!counterpart) continue;
      compared++;
      for (let i = 0; i < latents; i++) if (counterpart[i] >= 0) counts[i]++;
    }
    const orphans: number[] = [];
    if (compared > 0) counts.forEach((count, i) => count === 0 && orphans.push(i));
    return {
      key,
      compared,
      stability: counts.map((count) => count / compared),
      orphans: Int32Array.from(orphans),
    };
  });
}

export interface UniqueLatents {
  /** How many dictionaries were pooled. */
  readonly seeds: number;
  /** Distinct features among them, as a mean over the orders tried. */
  readonly unique: number;
  /** Total latents among them, as a mean over the same orders: what `unique` would be if no latent were shared. */
  readonly total: number;
}

/**
 * Distinct features found against the number of seeds. Latents linked by sharing, directly or through other seeds,
 * are one feature (*choice*: connected components). Which seeds are pooled first matters when few are, so the
 * count is averaged over the rotations of the given order, in which each seed comes first once.
 *
 * Throws 'bad_input' when a pair of the group was not compared: its links would count as absent.
 */
export function uniqueLatents(
  seeds: readonly SeedDictionary[],
  links: readonly SharedLink[],
): UniqueLatents[] {
  const group = groupOf(seeds, links);
  for (let s = 0; s < seeds.length; s++)
    for (let t = s + 1; t < seeds.length; t++)
      if (!group.counterpart(s, t))
        throw new LazyscopeError(
          'bad_input',
          `'${seeds[s].key}' and '${seeds[t].key}' have not been compared: compare every pair before counting unique latents.`,
        );
  const offsets = [0];
  for (const { latents } of seeds) offsets.push(offsets[offsets.length - 1] + latents);
  const unique = new Float64Array(seeds.length);
  const total = new Float64Array(seeds.length);
  for (let first = 0; first < seeds.length; first++) {
    const components = new Components(offsets[seeds.length]);
    let count = 0;
    let all = 0;
    for (let n = 0; n < seeds.length; n++) {
      const s = (first + n) % seeds.length;
      count += seeds[s].latents;
      all += seeds[s].latents;
      for (let before = 0; before < n; before++) {
        const t = (first + before) % seeds.length;
        group.counterpart(s, t)?.forEach((j, i) => {
          if (j >= 0 && components.join(offsets[s] + i, offsets[t] + j)) count--;
        });
      }
      unique[n] += count / seeds.length;
      total[n] += all / seeds.length;
    }
  }
  return seeds.map((_, n) => ({ seeds: n + 1, unique: unique[n], total: total[n] }));
}

interface Group {
  /** Counterparts in dictionary t of the latents of dictionary s, or undefined when they were not compared. */
  counterpart(s: number, t: number): Int32Array | undefined;
}

function groupOf(seeds: readonly SeedDictionary[], links: readonly SharedLink[]): Group {
  const index = new Map(seeds.map(({ key }, s) => [key, s]));
  const tables = new Map<string, Int32Array>();
  for (const { a, b, counterpart } of links) {
    const s = index.get(a);
    const t = index.get(b);
    if (s === undefined || t === undefined || s === t || counterpart.length !== seeds[s].latents)
      throw new LazyscopeError(
        'bad_input',
        `The comparison of '${a}' and '${b}' (${counterpart.length} latents) does not fit the dictionaries given: ${seeds.map((d) => `'${d.key}' (${d.latents})`).join(', ')}.`,
      );
    const inverse = new Int32Array(seeds[t].latents).fill(-1);
    counterpart.forEach((j, i) => {
      if (j >= inverse.length)
        throw new LazyscopeError(
          'bad_input',
          `The comparison of '${a}' and '${b}' names latent ${j}, but '${b}' has ${inverse.length}: compare them again.`,
        );
      if (j >= 0) inverse[j] = i;
    });
    tables.set(`${s} ${t}`, counterpart);
    tables.set(`${t} ${s}`, inverse);
  }
  return { counterpart: (s, t) => tables.get(`${s} ${t}`) };
}

/** Connected components by union–find with path halving. */
class Components {
  readonly #parent: Int32Array;

  constructor(size: number) {
    this.#parent = Int32Array.from({ length: size }, (_, i) => i);
  }

  #root(of: number): number {
    let i = of;
    while (this.#parent[i] !== i) {
      this.#parent[i] = this.#parent[this.#parent[i]];
      i = this.#parent[i];
    }
    return i;
  }

  /** Joins the components of a and b. True when they were separate until now. */
  join(a: number, b: number): boolean {
    const [from, to] = [this.#root(a), this.#root(b)];
    this.#parent[from] = to;
    return from !== to;
  }
}
