/** The native kernel behind sae/ops/topPairs.ts. */
import type { TopPairsKernel } from '../../ops/topPairs.ts';
import { TopScores } from '../../ops/topScores.ts';
import { fusedDefaults, screenings, type FusedOptions } from './fused.ts';
import type { NativeLibrary } from './library.ts';

/** Rows a call: enough that packing b for it costs little, few enough for a progress bar to move. */
const rowsAtOnce = 8192;
/** The first call's, which shows whether screening leaves few enough pairs to compute. */
const rowsAtFirst = 1024;
/** Share of the pairs above which computing them one by one takes longer than the whole product in floats. */
const wastedAbove = 0.1;
/** Vectors reach past the last column by less than this. */
const padding = 64;

type Floats = Float32Array;

/** `options` are looked at in each call. */
export function nativeTopPairs(
  library: NativeLibrary,
  options: Pick<FusedOptions, 'screening'> = fusedDefaults,
): TopPairsKernel {
  const call = library.bind<
    [
      ...[Floats, number, number, Floats, number, number, Floats, Floats],
      ...[number, Int32Array, Floats, Floats, Floats, number, Int32Array, Floats, Floats, number],
    ],
    number
  >(
    'double lazyscope_top_pairs(const float* a, int64_t first, int64_t rows, const float* b, int64_t columns, int64_t d, const float* row_offset, const float* column_offset, int32_t per_row, int32_t* row_index, float* row_score, float* row_bar, float* best, int32_t per_column, int32_t* column_index, float* column_score, float* column_bar, int32_t screening)',
  );
  return ({ a, b, perRow, perColumn, rowOffset, columnOffset, progress }) => {
    const { d } = a;
    const byRow = new TopScores(a.rows, perRow);
    const byColumn = new TopScores(b.rows, perColumn);
    const best = new Float32Array(a.rows).fill(-Infinity);
    const rowOffsets = rowOffset ?? new Float32Array(a.rows);
    const columnOffsets = new Float32Array(b.rows + padding);
    if (columnOffset) columnOffsets.set(columnOffset);
    // Padded columns never pass.
    const columnBar = new Float32Array(b.rows + padding).fill(-Infinity, 0, b.rows).fill(Infinity, b.rows);
    let screening: FusedOptions['screening'] = options.screening;
    for (let first = 0; first < a.rows;) {
      const rows = Math.min(first === 0 ? rowsAtFirst : rowsAtOnce, a.rows - first);
      const left = call(
        ...([a.data.subarray(first * d, (first + rows) * d), first, rows, b.data, b.rows, d] as const),
        ...([rowOffsets, columnOffsets, perRow, byRow.index, byRow.score, byRow.bar, best] as const),
        ...([perColumn, byColumn.index, byColumn.score, columnBar, screenings.indexOf(screening)] as const),
      );
      if (left > wastedAbove && screening === 'whereItPays') screening = 'never';
      first += rows;
      progress?.(first);
    }
    byColumn.bar.set(columnBar.subarray(0, b.rows));
    return { byRow, byColumn, best };
  };
}
