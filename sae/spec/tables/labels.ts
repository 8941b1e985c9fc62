import type { Table } from './table.ts';

const counts = {
  Positives: 'contexts in which the latent is active; 0 where nothing was scored',
  TruePositives: 'of the positives, those that were judged so',
  Negatives: 'contexts in which the latent is not active',
  TrueNegatives: 'of the negatives, those that were judged so',
  Unanswered: 'contexts without a readable judgement, in none of the other counts',
} as const;

type CountColumn = { readonly type: 'INTEGER'; readonly doc: string };

function countsOf<const Judge extends string>(judge: Judge) {
  const columns = Object.entries(counts).map(([name, doc]) => [
    `${judge}${name}`,
    { type: 'INTEGER', doc: `${judge}: ${doc}` },
  ]);
  return Object.fromEntries(columns) as {
    readonly [Name in keyof typeof counts as `${Judge}${Name}`]: CountColumn;
  };
}

/** runs/<run>/seed-<n>/labels-data.parquet, labels-neuronpedia.parquet and labels-endpoint.parquet: one row a labelled latent. */
export const labelTable = {
  latent: { type: 'INTEGER', doc: 'number of the latent, from 0' },
  label: { type: 'VARCHAR', doc: 'the label' },
  model: {
    type: 'VARCHAR',
    doc: 'model that wrote it, of the endpoint or as Neuronpedia names it; empty for a rule found in the data',
  },
  createdAt: { type: 'VARCHAR', doc: 'when it was made, ISO 8601' },
  ...countsOf('detection'),
  ...countsOf('fuzzing'),
} as const satisfies Table;

/** The ways of making labels automatically, each with its own file; of several labels of a latent the last one's is shown. */
export const labelMethods = ['data', 'neuronpedia', 'endpoint'] as const;
export type LabelMethod = (typeof labelMethods)[number];
