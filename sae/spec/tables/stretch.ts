import type { Table } from './table.ts';

/** A stretch of a text around the token on which a latent or a neuron is strongest, in two tables of examples. */
export const stretchColumns = {
  activation: { type: 'DOUBLE', doc: 'activation at the peak' },
  context: { type: 'INTEGER', doc: 'number of the context in the text, from 0' },
  position: { type: 'INTEGER', doc: 'position of the peak in its context, in tokens' },
  start: { type: 'INTEGER', doc: 'position of the first token shown, in tokens' },
  tokens: { type: 'INTEGER[]', doc: 'the tokens shown' },
  activations: { type: 'FLOAT[]', doc: 'the activation on each of them' },
} as const satisfies Table;
