/** Setting of every architecture whose loss has a sparsity penalty. */
export const sparsityWarmupFraction = {
  type: 'number',
  min: 0,
  max: 1,
  label: 'Sparsity warm-up',
  doc: 'share of the steps over which λ rises linearly from 0',
} as const;
