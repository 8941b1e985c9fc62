import { stabilityTable } from './stability.ts';
import { someOf, type SortOf, type Table } from './table.ts';

/** runs/<run>/seed-<n>/features.parquet: one row a latent, over the held-out tokens. */
export const featureTable = {
  latent: { type: 'INTEGER', doc: 'number of the latent, from 0', sortable: true, label: 'Latent' },
  density: {
    type: 'DOUBLE',
    doc: 'share of held-out tokens on which the latent is active',
    sortable: true,
    label: 'Density',
    format: 'percent',
    digits: 2,
  },
  firings: { type: 'BIGINT', doc: 'held-out tokens on which the latent is active', sortable: true },
  dead: { type: 'BOOLEAN', doc: 'whether the latent is active on no held-out token' },
  maxActivation: {
    type: 'DOUBLE',
    doc: 'largest activation',
    sortable: true,
    label: 'Max',
    format: 'figures',
  },
  meanActivation: {
    type: 'DOUBLE',
    doc: 'mean activation over the tokens on which the latent is active',
    sortable: true,
  },
  histogram: {
    type: 'INTEGER[]',
    doc: 'activations in 32 equal bins on (0, maxActivation]',
    label: 'Activations',
  },
  decoderNorm: { type: 'DOUBLE', doc: 'L2 norm of the decoder row', sortable: true },
  encoderDecoderCosine: {
    type: 'DOUBLE',
    doc: 'cosine of the encoder row with the decoder row',
    sortable: true,
  },
  biasEncoder: { type: 'DOUBLE', doc: 'entry of b_enc' },
  promotedTokens: {
    type: 'INTEGER[]',
    doc: 'tokens whose logits the decoder row raises most, strongest first',
    label: 'Promotes',
  },
  promotedLogits: { type: 'FLOAT[]', doc: 'their logits, a unit of activation' },
  suppressedTokens: {
    type: 'INTEGER[]',
    doc: 'tokens whose logits the decoder row lowers most, strongest first',
  },
  suppressedLogits: { type: 'FLOAT[]', doc: 'their logits, a unit of activation' },
  neighbours: {
    type: 'INTEGER[]',
    doc: 'latents of the same dictionary with the nearest decoder rows, nearest first',
  },
  neighbourCosines: { type: 'FLOAT[]', doc: 'the cosines of their decoder rows with this one' },
  topTokens: {
    type: 'INTEGER[]',
    doc: 'tokens on which the latent is active most often, most frequent first',
    label: 'Fires on',
  },
  topTokenCounts: { type: 'INTEGER[]', doc: 'how often it is active on each of them' },
} as const satisfies Table;

/** The features as lists show them: with the share of other seeds that have them, which is null where nothing was compared. */
export const featureView = {
  ...featureTable,
  stability: { ...stabilityTable.stability, nullable: true },
} as const satisfies Table;

/** Columns that only the page of one latent needs. */
export const featureDetailColumns = [
  'biasEncoder',
  'promotedLogits',
  'suppressedTokens',
  'suppressedLogits',
  'neighbours',
  'neighbourCosines',
] as const satisfies readonly (keyof typeof featureTable)[];

const ofOnePage: ReadonlySet<string> = new Set(featureDetailColumns);

/** The other columns, which lists show, sort by and filter by. */
export const listedFeatureTable = Object.fromEntries(
  Object.entries(featureTable).filter(([name]) => !ofOnePage.has(name)),
) as Omit<typeof featureTable, (typeof featureDetailColumns)[number]>;

/** What the page of one latent needs besides `listedFeatureTable`. */
export const featureDetailTable = someOf(featureTable, 'latent', ...featureDetailColumns);

/** What a list of orphans may be sorted by. */
export const orphanSorts = ['density', 'maxActivation'] as const satisfies readonly SortOf<
  typeof featureView
>[];
