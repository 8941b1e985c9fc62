/** Reads stored comparisons as the links that stability.ts counts. */
import type { ComparisonManifest } from '../spec/manifests/comparison.ts';
import type { StoreLayout } from '../store/layout.ts';
import type { Table } from '../spec/tables/table.ts';
import { queryColumns } from '../store/readColumns.ts';
import { dictionaryKey } from './dictionaryKey.ts';
import { rounding } from './sharedFraction.ts';
import type { SharedLink } from './stability.ts';

/** SQL on matches.parquet: whether a latent is shared at `$threshold`, as sharedFraction.ts has it. */
export const sharedAtThreshold = `("decoderMatch" >= 0 AND "decoderMatch" = "encoderMatch"
  AND least("decoderCosine", "encoderCosine") >= $threshold - ${rounding})`;

/**
 * The link of a stored comparison, by default at the threshold that the comparison was made with. Throws 'not_found' or
 * 'corrupt' as the reader does.
 */
export async function sharedLink(
  store: StoreLayout,
  comparison: ComparisonManifest,
  threshold: number = comparison.threshold,
): Promise<SharedLink> {
  const own = threshold === comparison.threshold;
  const path = store.comparisonMatches(comparison.name);
  const { counterpart } = await queryColumns(
    counterpartTable,
    `SELECT CASE WHEN ${own ? 'shared' : sharedAtThreshold} THEN "decoderMatch" ELSE -1 END AS counterpart FROM read_parquet($path) ORDER BY latent`,
    { path, ...(own ? {} : { threshold }) },
  );
  return {
    a: dictionaryKey(comparison.a),
    b: dictionaryKey(comparison.b),
    counterpart: Int32Array.from(counterpart),
  };
}

const counterpartTable = {
  counterpart: { type: 'INTEGER', doc: 'the latent of the other dictionary that this one is shared with' },
} as const satisfies Table;
