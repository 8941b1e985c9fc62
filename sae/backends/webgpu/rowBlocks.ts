/** A block of `rows` rows of a batch, from `firstRow` on. */
export type RowBlock = { readonly rows: number; readonly firstRow: number };

/** Divides `all` rows into blocks of at most `size`, in order. */
export function* rowBlocks(all: number, size: number): Generator<RowBlock> {
  for (let firstRow = 0; firstRow < all; firstRow += size)
    yield { rows: Math.min(size, all - firstRow), firstRow };
}
