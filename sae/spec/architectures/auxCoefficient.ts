/** Setting of every architecture whose loss has the auxiliary term AuxK. */
export const auxCoefficient = {
  type: 'number',
  min: 0,
  label: 'AuxK α',
  doc: 'weight α of the auxiliary loss AuxK',
} as const;
