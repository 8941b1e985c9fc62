/** Rows of d numbers, times `scale` in double precision, to the columns of wider rows from `column` on. `from` may be longer than the rows are. */
export function placeColumns(
  from: Float32Array,
  { d, scale }: { readonly d: number; readonly scale: number },
  to: Float32Array,
  { rows, column, width }: { readonly rows: number; readonly column: number; readonly width: number },
): void {
  for (let row = 0, at = 0; row < rows; row++)
    for (let place = row * width + column, end = place + d; place < end; place++, at++)
      to[place] = from[at] * scale;
}
