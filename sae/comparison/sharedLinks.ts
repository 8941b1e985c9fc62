/** Reads stored comparisons as the links that stability.ts counts. */
import type { ComparisonManifest, DictionaryReference } from '../spec/manifests/comparison.ts';
import type { StoreLayout } from '../store/layout.ts';
import { queryParquet } from '../store/parquet.ts';
import type { SharedLink } from './stability.ts';

/** The key of a dictionary within a group of dictionaries. */
export function dictionaryKey({ run, seed }: DictionaryReference): string {
  return `${run}/${seed}`;
}

/** The link of a stored comparison, at the threshold that the comparison was made with. Throws 'not_found' or 'corrupt' as the reader does. */
export async function sharedLink(store: StoreLayout, comparison: ComparisonManifest): Promise<SharedLink> {
  const rows = await queryParquet(
    'SELECT CASE WHEN shared THEN "decoderMatch" ELSE -1 END AS counterpart FROM read_parquet($path) ORDER BY latent',
    { path: store.comparisonMatches(comparison.name) },
  );
  return {
    a: dictionaryKey(comparison.a),
    b: dictionaryKey(comparison.b),
    counterpart: Int32Array.from(rows, (row) => Number(row.counterpart)),
  };
}
