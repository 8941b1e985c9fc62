/** The native kernel behind sae/ops/topPairs.ts. */
import type { TopPairsKernel } from '../../ops/topPairs.ts';
import { TopScores } from '../../ops/topScores.ts';
import { fusedDefaults, screenings, type FusedOptions } from './fused.ts';
import type { NativeLibrary } from './library.ts';
import type { PairList } from './nativeFunctions.ts';
import { writable } from './pointers.ts';

/** Rows that one call compares: enough that packing b for it costs little, few enough that it ends within a second or two. */
const rowsAtOnce = { most: 8192, least: 1024 };
const productsAtOnce = 2 ** 36;
/** Rows of the first call, which shows whether screening leaves few enough pairs to compute. */
const rowsAtFirst = 1024;
/** Share of the pairs above which computing them one by one takes longer than the whole product in floats. */
const wastedAbove = 0.1;
/** Vector instructions read and write past the last column, by fewer floats than this. */
const padding = 64;

function listOf(length: number, { index, score }: TopScores, bar: Float32Array): PairList {
  return { length, index: writable(index), score: writable(score), bar: writable(bar) };
}

/** `options` are looked at in each call. */
export function nativeTopPairs(
  library: NativeLibrary,
  options: Pick<FusedOptions, 'screening'> = fusedDefaults,
): TopPairsKernel {
  return function* ({ a, b, perRow, perColumn, rowOffset, columnOffset, progress }) {
    const { d } = a;
    const byRow = new TopScores(a.rows, perRow);
    const byColumn = new TopScores(b.rows, perColumn);
    const best = writable(new Float32Array(a.rows).fill(-Infinity));
    const rowOffsets = rowOffset ?? new Float32Array(a.rows);
    const columnOffsets = new Float32Array(b.rows + padding);
    if (columnOffset) columnOffsets.set(columnOffset);
    // Padded columns never pass.
    const columnBar = new Float32Array(b.rows + padding).fill(-Infinity, 0, b.rows).fill(Infinity, b.rows);
    let screening: FusedOptions['screening'] = options.screening;
    const { most, least } = rowsAtOnce;
    const usual = Math.max(least, Math.min(most, Math.floor(productsAtOnce / (b.rows * d))));
    for (let first = 0; first < a.rows;) {
      const rows = Math.min(first === 0 ? rowsAtFirst : usual, a.rows - first);
      const left = library.functions.topPairs({
        a: a.data.subarray(first * d, (first + rows) * d),
        first,
        rows,
        b: b.data,
        columns: b.rows,
        d,
        rowOffset: rowOffsets,
        columnOffset: columnOffsets,
        best,
        byRow: listOf(perRow, byRow, byRow.bar),
        byColumn: listOf(perColumn, byColumn, columnBar),
        screening: screenings.indexOf(screening),
      });
      if (left > wastedAbove && screening === 'whereItPays') screening = 'never';
      first += rows;
      progress?.(first);
      yield;
    }
    byColumn.bar.set(columnBar.subarray(0, b.rows));
    return { byRow, byColumn, best };
  };
}
