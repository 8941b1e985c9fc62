/** A figure as JSON can hold it: null where it is undefined (0/0, x/0) or beyond every number. */
export function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
