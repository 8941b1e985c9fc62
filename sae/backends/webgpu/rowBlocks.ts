/** Rows of a batch, from `firstRow` on. */
export type RowBlock = { readonly rows: number; readonly firstRow: number };

/** Blocks of at most `size` of `all` rows, first to last. */
export function* rowBlocks(all: number, size: number): Generator<RowBlock> {
  for (let firstRow = 0; firstRow < all; firstRow += size)
    yield { rows: Math.min(size, all - firstRow), firstRow };
}
