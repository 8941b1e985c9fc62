import type { Table } from './table.ts';

/** runs/<run>/seed-<n>/worth.parquet: one row a latent, what it alone is worth on held-out text. */
export const worthTable = {
  latent: { type: 'INTEGER', doc: 'number of the latent, from 0', sortable: true, label: 'Latent' },
  group: {
    type: 'INTEGER',
    doc: 'its group by stability, from 1 (comes back least) to 10; 0 for a latent that did not fire',
    sortable: true,
  },
  firings: { type: 'INTEGER', doc: 'held-out tokens on which it fired', sortable: true },
  fvuChange: {
    type: 'DOUBLE',
    doc: 'by how much the FVU grows when it is set to 0; null for a latent that did not fire',
    nullable: true,
    sortable: true,
    format: 'figures',
    digits: 2,
  },
  attribution: {
    type: 'DOUBLE',
    doc: 'by how much the cross-entropy grows when it is set to 0, in nats a predicted token, by the gradient: −Σ f (W_dec · ∂L/∂x)',
    nullable: true,
    sortable: true,
    format: 'figures',
    digits: 2,
  },
  ablation: {
    type: 'DOUBLE',
    doc: 'the same as measured, for a sample of latents; null for the others',
    nullable: true,
    sortable: true,
    format: 'figures',
    digits: 2,
  },
} as const satisfies Table;
