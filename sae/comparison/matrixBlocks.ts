/**
 * The two products of matrices that a comparison begins with, of decoder and of encoder rows, in blocks of rows that parts of the work can
 * leave behind (sae/store/blocks.ts): whole cosines for narrow dictionaries, the best few of each row and column for wide ones.
 */
import { defaultBlock, type BlockSize } from '../ops/productBlocks.ts';
import { topPairsSteps } from '../ops/topPairs.ts';
import { TopScores } from '../ops/topScores.ts';
import { finishWithPauses, type Steps } from '../steps.ts';
import type { Block, BlockFolder } from '../store/blocks.ts';
import { cosineSteps, type Directions } from './directions.ts';

/** What parts have left of the product of one side, and which side it is. */
export interface LeftBlocks {
  readonly side: 'decoder' | 'encoder';
  readonly folder: Pick<BlockFolder, 'read'>;
}

/** Rows of a block whose best pairs are kept: enough that reading all columns for it costs little. */
const rowsOfPairs = 4096;

interface Rows {
  readonly first: number;
  readonly end: number;
}

function* rowBlocks(rows: number, size: number): Generator<Rows> {
  for (let first = 0; first < rows; first += size) yield { first, end: Math.min(first + size, rows) };
}

const rowsOf = ({ d, data }: Directions, { first, end }: Rows): Directions => ({
  rows: end - first,
  d,
  data: data.subarray(first * d, end * d),
});

type CosineArrays = { cosines: Float32Array };
const cosineName = (side: string, { first }: Rows) => `${side}-cosines-${first}`;

/** All cosines [a.rows, b.rows]. */
export function* blockedCosines(
  a: Directions,
  b: Directions,
  left: LeftBlocks | undefined,
): Steps<Float32Array> {
  const out = new Float32Array(a.rows * b.rows);
  for (const rows of rowBlocks(a.rows, defaultBlock.rows)) {
    const there = left?.folder.read<CosineArrays>({ name: cosineName(left.side, rows) });
    out.set(there ? there.cosines : yield* cosineSteps(rowsOf(a, rows), b), rows.first * b.rows);
  }
  return out;
}

export interface PairsAsked {
  readonly perRow: number;
  readonly perColumn: number;
  readonly block?: BlockSize | undefined;
  readonly progress?: ((rows: number) => void) | undefined;
}

/** Of each row of a block its best columns; of each column the best rows of the block, numbered within it. */
type PairArrays = {
  rowIndex: Int32Array;
  rowScore: Float32Array;
  rowBar: Float32Array;
  columnIndex: Int32Array;
  columnScore: Float32Array;
  columnBar: Float32Array;
};
const pairName = (side: string, { first }: Rows) => `${side}-pairs-${first}`;

function* pairsOfRows(a: Directions, b: Directions, rows: Rows, asked: PairsAsked): Steps<PairArrays> {
  const block = rowsOf(a, rows);
  const { byRow, byColumn } = yield* topPairsSteps({
    a: block,
    b,
    perRow: Math.min(asked.perRow, b.rows),
    perColumn: Math.min(asked.perColumn, block.rows),
    block: asked.block,
    progress: (done) => asked.progress?.(rows.first + done),
  });
  return {
    rowIndex: byRow.index,
    rowScore: byRow.score,
    rowBar: byRow.bar,
    columnIndex: byColumn.index,
    columnScore: byColumn.score,
    columnBar: byColumn.bar,
  };
}

/**
 * The best columns of each row and the best rows of each column. The order of each list is total, so that the best of the blocks' best are
 * those of all rows.
 */
export function* blockedPairs(
  a: Directions,
  b: Directions,
  asked: PairsAsked,
  left: LeftBlocks | undefined,
): Steps<{ byRow: TopScores; byColumn: TopScores }> {
  const byRow = new TopScores(a.rows, Math.min(asked.perRow, b.rows));
  const byColumn = new TopScores(b.rows, Math.min(asked.perColumn, a.rows));
  for (const rows of rowBlocks(a.rows, rowsOfPairs)) {
    const there = left?.folder.read<PairArrays>({ name: pairName(left.side, rows) });
    const found = there ?? (yield* pairsOfRows(a, b, rows, asked));
    byRow.index.set(found.rowIndex, rows.first * byRow.kept);
    byRow.score.set(found.rowScore, rows.first * byRow.kept);
    byRow.bar.set(found.rowBar, rows.first);
    addColumns(byColumn, found, rows);
    if (there) asked.progress?.(rows.end);
    yield;
  }
  return { byRow, byColumn };
}

function addColumns(byColumn: TopScores, found: PairArrays, { first }: Rows): void {
  // The first block's lists are as they are, bars included; they are the only ones of a narrow dictionary.
  if (first === 0 && found.columnIndex.length === byColumn.index.length) {
    byColumn.index.set(found.columnIndex);
    byColumn.score.set(found.columnScore);
    byColumn.bar.set(found.columnBar);
    return;
  }
  const kept = found.columnIndex.length / byColumn.bar.length;
  for (let at = 0; at < found.columnIndex.length; at++) {
    if (found.columnIndex[at] < 0) continue;
    const column = Math.floor(at / kept);
    if (found.columnScore[at] > byColumn.bar[column])
      byColumn.insert(column, first + found.columnIndex[at], found.columnScore[at]);
  }
}

export interface MatrixBlocksOptions {
  side: LeftBlocks['side'];
  /** Rows of the first of both. */
  rows: number;
  /** Unit rows of both dictionaries. */
  both: () => readonly [Directions, Directions];
  /** Whether all cosines are kept. */
  dense: boolean;
  asked: PairsAsked;
  signal: AbortSignal | undefined;
}

/** What parts can do of the product of one side, as `blockedCosines` and `blockedPairs` read it. */
export function* matrixBlocks(options: MatrixBlocksOptions): Generator<Block> {
  const { side, both, dense, asked, signal } = options;
  const run = <Result>(steps: Steps<Result>) => finishWithPauses(steps, signal, 'matching latents');
  for (const rows of rowBlocks(options.rows, dense ? defaultBlock.rows : rowsOfPairs))
    yield dense
      ? {
          name: cosineName(side, rows),
          make: async () => {
            const [a, b] = both();
            return { cosines: await run(cosineSteps(rowsOf(a, rows), b)) };
          },
        }
      : { name: pairName(side, rows), make: () => run(pairsOfRows(...both(), rows, asked)) };
}
