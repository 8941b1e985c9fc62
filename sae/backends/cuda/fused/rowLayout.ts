/** How a row of d numbers is split over the threads of a block, for kernels that are compiled for one d; see source/fused.cuh. */
export interface RowLayout {
  readonly threads: number;
  readonly define: {
    /** Numbers loaded at once. */
    readonly VECTOR: number;
    readonly THREADS: number;
    /** Vectors of a thread. */
    readonly COLUMNS: number;
    /** Blocks that share a multiprocessor, which bounds the registers of a thread. */
    readonly BLOCKS: number;
  };
}

const mostThreads = 512;
/** Threads a multiprocessor should have at once while each has few columns, so that enough loads are in flight. */
const residentThreads = 1024;
/** As many as a multiprocessor of every architecture takes (compute capability 8.6). */
const residentBlocks = 16;

const layouts = new Map<number, RowLayout>();

export function rowLayout(d: number): RowLayout {
  const known = layouts.get(d);
  if (known) return known;
  const vector = d % 4 === 0 ? 4 : 1;
  const vectors = d / vector;
  const threads = Math.min(mostThreads, Math.ceil(vectors / 32) * 32);
  const columns = Math.ceil(vectors / threads);
  const blocks = columns <= 2 ? Math.min(residentBlocks, Math.floor(residentThreads / threads)) : 1;
  const layout = { threads, define: { VECTOR: vector, THREADS: threads, COLUMNS: columns, BLOCKS: blocks } };
  layouts.set(d, layout);
  return layout;
}
