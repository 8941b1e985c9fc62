/**
 * The kernel behind sae/ops/topPairs.ts: the product is made block by block on the device, which lists the entries above the bar of their row
 * or of their column. After the first rows these are few, and only they come to the host, where they enter the lists.
 */
import type { TopPairsKernel, TopPairsRequest } from '../../ops/topPairs.ts';
import { TopScores } from '../../ops/topScores.ts';
import type { CudaBackend } from './cudaBackend.ts';
import type { DeviceBuffer } from './deviceMemory.ts';
import type { KernelRequest } from './programs.ts';
import type { HostArray } from './transfers.ts';

const pairCandidates: KernelRequest = { file: 'pairs.cu', name: 'pairCandidates' };

export interface PairBlocks {
  /** Rows of the first block, all of whose entries come to the host: enough to set bars. */
  readonly firstRows: number;
  readonly rows: number;
  /** Entries of the product that are on the device at one time. */
  readonly entries: number;
  /** Entries that are listed at most; a block with more is read as a whole. */
  readonly listed: number;
}
const usual: PairBlocks = { firstRows: 64, rows: 2048, entries: 2 ** 26, listed: 2 ** 22 };

interface Lists {
  readonly byRow: TopScores;
  readonly byColumn: TopScores;
  readonly best: Float32Array;
  readonly rowOffset: Float32Array;
  readonly columnOffset: Float32Array;
}

/** One entry of the product enters the lists it is good enough for. */
function offer(
  { byRow, byColumn, best, rowOffset, columnOffset }: Lists,
  row: number,
  column: number,
  product: number,
) {
  const value = Math.fround(product - columnOffset[column]);
  if (value > byRow.bar[row]) {
    if (value > best[row]) best[row] = value;
    byRow.insert(row, column, value);
  }
  const ofColumn = Math.fround(product - rowOffset[row]);
  if (ofColumn > byColumn.bar[column]) byColumn.insert(column, row, ofColumn);
}

export function cudaTopPairs(backend: CudaBackend, blocks = usual): TopPairsKernel {
  return function* (request: TopPairsRequest) {
    const { a, b, perRow, perColumn, progress } = request;
    const { d } = a;
    const lists: Lists = {
      byRow: new TopScores(a.rows, perRow),
      byColumn: new TopScores(b.rows, perColumn),
      best: new Float32Array(a.rows).fill(-Infinity),
      rowOffset: request.rowOffset ?? new Float32Array(a.rows),
      columnOffset: request.columnOffset ?? new Float32Array(b.rows),
    };
    const mostRows = Math.min(blocks.rows, a.rows);
    const mostColumns = Math.max(1, Math.min(b.rows, Math.floor(blocks.entries / Math.max(1, mostRows))));
    const buffers: DeviceBuffer[] = [];
    const keep = (buffer: DeviceBuffer) => {
      buffers.push(buffer);
      return buffer;
    };
    const { transfers, products } = backend;
    const uploaded = (values: HostArray) => keep(transfers.uploaded(values));
    try {
      const [columns, rowOffset, columnOffset] = [b.data, lists.rowOffset, lists.columnOffset].map(uploaded);
      const [rowBar, columnBar] = [lists.byRow.bar, lists.byColumn.bar].map(uploaded);
      const [rowData, product, list, count] = [
        4 * mostRows * d, 4 * mostRows * mostColumns, 12 * blocks.listed, 4,
      ].map((bytes) => keep(backend.scratch(bytes))); // prettier-ignore
      const bars = { rowOffset, columnOffset, rowBar, columnBar };

      for (let firstRow = 0; firstRow < a.rows;) {
        const wanted = firstRow === 0 ? blocks.firstRows : mostRows;
        const rows = Math.min(wanted, mostRows, a.rows - firstRow);
        transfers.upload(a.data.subarray(firstRow * d, (firstRow + rows) * d), rowData);
        for (let firstColumn = 0; firstColumn < b.rows; firstColumn += mostColumns) {
          const width = Math.min(mostColumns, b.rows - firstColumn);
          products.multiply({
            m: rows, n: width, k: d, a: rowData, b: columns, bOffset: firstColumn * d, c: product,
            transposeB: true, type: 'f32',
          }); // prettier-ignore
          enter({ firstRow, rows, firstColumn, width }, lists, { ...bars, product, list, count });
          const rowBars = lists.byRow.bar.subarray(firstRow, firstRow + rows);
          transfers.upload(rowBars, behind(rowBar, 4 * firstRow));
          const columnBars = lists.byColumn.bar.subarray(firstColumn, firstColumn + width);
          transfers.upload(columnBars, behind(columnBar, 4 * firstColumn));
        }
        firstRow += rows;
        progress?.(firstRow);
        yield;
      }
    } finally {
      for (const buffer of buffers) backend.give(buffer);
    }
    return { byRow: lists.byRow, byColumn: lists.byColumn, best: lists.best };
  };

  /** Lets the entries of a block that pass a bar enter the lists. */
  function enter(
    { firstRow, rows, firstColumn, width }: Record<'firstRow' | 'rows' | 'firstColumn' | 'width', number>,
    lists: Lists,
    on: Record<
      'product' | 'rowOffset' | 'columnOffset' | 'rowBar' | 'columnBar' | 'list' | 'count',
      DeviceBuffer
    >,
  ): void {
    const { programs, transfers } = backend;
    backend.fill(on.count, 0, 1);
    const grid = Math.min(Math.ceil((rows * width) / 256), 32 * programs.architecture.multiprocessors);
    programs.run(pairCandidates, { grid, block: 256 }, [
      on.product, on.rowOffset, on.columnOffset, on.rowBar, on.columnBar,
      firstRow, firstColumn, rows, width, on.count, on.list, blocks.listed,
    ]); // prettier-ignore
    const [count] = download(transfers, on.count, new Int32Array(1));
    if (count > blocks.listed) {
      const all = download(transfers, on.product, new Float32Array(rows * width));
      all.forEach((value, at) =>
        offer(lists, firstRow + Math.floor(at / width), firstColumn + (at % width), value),
      );
      return;
    }
    if (count === 0) return;
    const found = download(transfers, on.list, new Int32Array(3 * count));
    const values = new Float32Array(found.buffer);
    for (let at = 0; at < found.length; at += 3) offer(lists, found[at], found[at + 1], values[at + 2]);
  }
}

function behind({ address, bytes }: DeviceBuffer, offset: number): DeviceBuffer {
  return { address: address + BigInt(offset), bytes: bytes - offset };
}

function download<Values extends HostArray>(
  transfers: CudaBackend['transfers'],
  from: DeviceBuffer,
  target: Values,
): Values {
  transfers.download(from, target);
  return target;
}
