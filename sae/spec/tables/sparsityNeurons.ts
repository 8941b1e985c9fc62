import type { Table } from './table.ts';

/** sparsity/<name>/neurons.parquet: one row a neuron. */
export const sparsityNeuronTable = {
  layer: { type: 'INTEGER', doc: 'layer, from 0' },
  neuron: {
    type: 'INTEGER',
    doc: 'number of the neuron in its layer, from 0',
    sortable: true,
    label: 'Neuron',
  },
  frequency: {
    type: 'DOUBLE',
    doc: 'share of tokens on which the neuron is not exactly zero; in a mixture, of those that the router sends to its expert',
    sortable: true,
    label: 'Frequency',
    format: 'percent',
    digits: 1,
  },
  frequencyAt: {
    type: 'DOUBLE',
    doc: "share of tokens on which |a| is above the report's middle threshold",
    sortable: true,
    label: 'above ε',
    format: 'percent',
    digits: 1,
  },
  meanActivation: {
    type: 'DOUBLE',
    doc: 'mean of a over the tokens on which the neuron fires',
    sortable: true,
    label: 'Mean',
    format: 'figures',
  },
  maxActivation: {
    type: 'DOUBLE',
    doc: 'largest |a|',
    sortable: true,
    label: 'Max',
    format: 'figures',
  },
  routed: {
    type: 'DOUBLE',
    doc: "share of tokens that the router sends to the neuron's expert; null where the MLP is no mixture of experts",
    nullable: true,
    label: 'Routed',
    format: 'percent',
    digits: 1,
  },
  outputNorm: {
    type: 'DOUBLE',
    doc: "L2 norm of the neuron's row of W_down",
    sortable: true,
    label: '‖W_down‖',
    format: 'figures',
  },
  topTokens: {
    type: 'INTEGER[]',
    doc: 'tokens on which |a| was largest, strongest first',
    label: 'Fires on',
  },
  promotedTokens: {
    type: 'INTEGER[]',
    doc: "tokens whose logits the neuron's row of W_down raises most, strongest first",
    label: 'Writes',
  },
} as const satisfies Table;
