/** Reads stored comparisons as the links that stability.ts counts. */
import { comparisonManifestSchema } from '../spec/manifests/comparison.ts';
import type { DictionaryReference } from '../spec/manifests/comparison.ts';
import type { StoreLayout } from '../store/layout.ts';
import { queryParquet } from '../store/parquet.ts';
import { readManifest } from '../store/readManifest.ts';
import type { SharedLink } from './stability.ts';

/** The key of a dictionary within a group of dictionaries. */
export function dictionaryKey({ run, seed }: DictionaryReference): string {
  return `${run}/${seed}`;
}

/** One link for each comparison, at the threshold that the comparison was made with. Throws 'not_found' or 'corrupt' as the readers do. */
export async function sharedLinks(store: StoreLayout, comparisons: readonly string[]): Promise<SharedLink[]> {
  return Promise.all(
    comparisons.map(async (name) => {
      const manifest = await readManifest(store.comparisonManifest(name), comparisonManifestSchema);
      const rows = await queryParquet(
        'SELECT CASE WHEN shared THEN "decoderMatch" ELSE -1 END AS counterpart FROM read_parquet($path) ORDER BY latent',
        { path: store.comparisonMatches(name) },
      );
      return {
        a: dictionaryKey(manifest.a),
        b: dictionaryKey(manifest.b),
        counterpart: Int32Array.from(rows, (row) => Number(row.counterpart)),
      };
    }),
  );
}
