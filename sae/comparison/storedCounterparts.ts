/** Counterparts of single latents, read from the comparisons in the store. */
import { existsSync, readdirSync } from 'node:fs';
import { comparisonKind, type ComparisonManifest } from '../spec/manifests/comparison.ts';
import type { DictionaryReference } from '../spec/manifests/comparison.ts';
import { namePattern } from '../spec/names.ts';
import { matchTable } from '../spec/tables/matches.ts';
import type { StoreLayout } from '../store/layout.ts';
import { queryRows } from '../store/queryRows.ts';
import { readManifest } from '../store/readManifest.ts';
import { columnList, quoted, storedTable } from '../store/tableSql.ts';

/** A stored comparison, and which of its two dictionaries is the one that asks. */
export interface ComparisonSide {
  name: string;
  side: 'a' | 'b';
}

/** The counterpart of a latent by one comparison. */
export interface StoredCounterpart {
  latent: number;
  decoderCosine: number | null;
  encoderCosine: number | null;
  shared: boolean;
}

/** The newest comparison of two dictionaries, whichever of them it calls a. */
export function comparisonBetween(
  comparisons: readonly ComparisonManifest[],
  own: DictionaryReference,
  other: DictionaryReference,
): ComparisonSide | undefined {
  const is = (one: DictionaryReference, two: DictionaryReference) =>
    one.run === two.run && one.seed === two.seed;
  const found = comparisons
    .filter(({ a, b }) => (is(a, own) && is(b, other)) || (is(a, other) && is(b, own)))
    .reduce<ComparisonManifest | undefined>(
      (newest, one) => (newest && newest.createdAt >= one.createdAt ? newest : one),
      undefined,
    );
  return found && { name: found.name, side: is(found.a, own) ? 'a' : 'b' };
}

/** The manifests of all finished comparisons of a store. Throws `corrupt` for a damaged one. */
export async function storedComparisons(store: StoreLayout): Promise<ComparisonManifest[]> {
  if (!existsSync(store.comparisons())) return [];
  const names = readdirSync(store.comparisons()).filter(
    (name) => namePattern.test(name) && existsSync(store.comparisonManifest(name)),
  );
  return Promise.all(names.map((name) => readManifest(store.comparisonManifest(name), comparisonKind)));
}

/** The counterparts of some latents by the optimal matching of decoder rows; a latent without one is absent. */
export async function storedCounterparts(
  store: StoreLayout,
  { name, side }: ComparisonSide,
  latents: readonly number[],
): Promise<Map<number, StoredCounterpart>> {
  if (latents.length === 0) return new Map();
  // The matching is one-to-one, so that for a latent of b at most one latent of a is found.
  const own = quoted(side === 'a' ? 'latent' : 'decoderMatch');
  const rows = await queryRows(
    matchTable,
    `SELECT ${columnList(matchTable)} FROM ${storedTable(matchTable)}
     WHERE "decoderMatch" >= 0 AND list_contains(string_split($latents, ',')::INTEGER[], ${own})`,
    { path: store.comparisonMatches(name), latents: latents.join(',') },
  );
  return new Map(
    rows.map(({ latent, decoderMatch, decoderCosine, encoderCosine, shared }) => {
      const [from, to] = side === 'a' ? [latent, decoderMatch] : [decoderMatch, latent];
      return [from, { latent: to, decoderCosine, encoderCosine, shared }];
    }),
  );
}
