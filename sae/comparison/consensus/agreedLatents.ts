/**
 * Which latents of several seeds are the same: pooled rows are linked with their counterparts and joined, the nearest first, into
 * components that hold at most one latent of a seed.
 */

/** A latent of one of the pooled dictionaries. */
export interface PooledLatent {
  /** The dictionary's place among those pooled, from 0. */
  readonly dictionary: number;
  readonly latent: number;
}

/** Two latents of different dictionaries that are each other's counterparts. */
export interface Link {
  readonly a: PooledLatent;
  readonly b: PooledLatent;
  /** The smaller of both cosines. */
  readonly cosine: number;
}

/** Latents of different dictionaries that are taken for one. */
export interface Component {
  /** By place of the dictionary. */
  readonly members: readonly PooledLatent[];
  /** Mean cosine of the links that joined it; 0 for one latent alone. */
  readonly cosine: number;
}

/**
 * All latents, each in one component. A link that would put two latents of one dictionary together is not followed: of two candidates
 * the nearer one belongs to the component.
 */
export function agreedLatents(dictionaries: number, latents: number, links: readonly Link[]): Component[] {
  const at = ({ dictionary, latent }: PooledLatent) => dictionary * latents + latent;
  const parent = Int32Array.from({ length: dictionaries * latents }, (_, i) => i);
  const root = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]];
    return i;
  };
  const members = new Map<number, number[]>();
  const of = (top: number) => members.get(top) ?? [top];
  const cosines = new Map<number, number[]>();
  const dictionaryOf = (i: number) => Math.floor(i / latents);
  for (const { a, b, cosine } of [...links].sort(
    (p, q) => q.cosine - p.cosine || at(p.a) - at(q.a) || at(p.b) - at(q.b),
  )) {
    const [one, other] = [root(at(a)), root(at(b))];
    const joined = [
      ...(cosines.get(one) ?? []),
      ...(one === other ? [] : (cosines.get(other) ?? [])),
      cosine,
    ];
    if (one !== other) {
      const taken = new Set(of(one).map(dictionaryOf));
      if (of(other).some((i) => taken.has(dictionaryOf(i)))) continue;
      members.set(one, [...of(one), ...of(other)]);
      members.delete(other);
      cosines.delete(other);
      parent[other] = one;
    }
    cosines.set(one, joined);
  }
  const components: Component[] = [];
  for (let i = 0; i < parent.length; i++) {
    if (root(i) !== i) continue;
    const own = cosines.get(i) ?? [];
    components.push({
      members: of(i)
        .sort((p, q) => p - q)
        .map((index) => ({ dictionary: dictionaryOf(index), latent: index % latents })),
      cosine: own.length > 0 ? own.reduce((sum, value) => sum + value, 0) / own.length : 0,
    });
  }
  return components;
}
