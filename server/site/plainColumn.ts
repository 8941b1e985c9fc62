import type { PlainColumn } from '../../sae/spec/site/siteContent.ts';
import type { Column } from '../../sae/store/vectorColumns.ts';

/** A column for a file of a site. NaN, which JSON hasn't, becomes null. */
export function plainColumn(column: Column): PlainColumn {
  if ('offsets' in column) return { values: [...column.values], offsets: [...column.offsets] };
  return Array.from(column as ArrayLike<number>, (value) => (Number.isNaN(value) ? null : value));
}
