import type { Table } from './table.ts';

/** The metrics of training: one row a seed every few steps. */
export const metricsTable = {
  step: { type: 'INTEGER', doc: 'steps done' },
  tokens: { type: 'DOUBLE', doc: 'tokens seen so far by each seed' },
  seed: { type: 'INTEGER', doc: 'the seed' },
  loss: { type: 'DOUBLE', doc: 'the loss of the batch' },
  mse: { type: 'DOUBLE', doc: 'mean of ‖x − x̂‖² over the batch, in the scaled units of training' },
  fvu: { type: 'DOUBLE', doc: 'fraction of variance unexplained, of the batch' },
  l0: { type: 'DOUBLE', doc: 'mean number of active latents' },
  deadFraction: { type: 'DOUBLE', doc: 'share of latents that have not fired for long' },
  learningRate: { type: 'DOUBLE', doc: 'learning rate of the step' },
  sparsityCoefficient: { type: 'DOUBLE', doc: 'λ of the step' },
  tokensPerSecond: { type: 'DOUBLE', doc: 'over all seeds together, since the row before' },
} as const satisfies Table;
