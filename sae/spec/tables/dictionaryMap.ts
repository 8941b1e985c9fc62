import type { Table } from './table.ts';

/** comparisons/<name>/map.parquet: latents of both dictionaries laid out by their decoder rows. */
export const mapTable = {
  side: { type: 'INTEGER', doc: '0 for a latent of a, 1 for one of b' },
  latent: { type: 'INTEGER', doc: 'number of the latent, from 0' },
  x: { type: 'FLOAT', doc: 'place on the map, without a unit' },
  y: { type: 'FLOAT', doc: 'place on the map, without a unit' },
} as const satisfies Table;
