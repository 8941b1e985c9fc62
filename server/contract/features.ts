import { z } from 'zod';
import { featureView } from '../../sae/spec/tables/features.ts';
import type { featureDetailColumns } from '../../sae/spec/tables/features.ts';
import type { layerShareTable } from '../../sae/spec/tables/layerShares.ts';
import type { stretchColumns } from '../../sae/spec/tables/stretch.ts';
import { sortsOf } from '../../sae/spec/tables/table.ts';
import type { RowOf } from '../../sae/spec/tables/table.ts';
import type { ArchitectureName } from '../../sae/spec/architectures/architectures.ts';
import { dictionaryInput, pageFields } from './tokens.ts';
import { indexNumber, storeName } from './limits.ts';
import type { Label } from './label.ts';
import type { TextMatch } from './search.ts';
import type { DictionaryReference, Page, TokenCount, TokenEffect, TokenText } from './tokens.ts';

export const featureFilterInput = z
  .object({
    minDensity: z.number().min(0).max(1),
    maxDensity: z.number().min(0).max(1),
    dead: z.boolean(),
    minStability: z.number().min(0).max(1),
    maxStability: z.number().min(0).max(1),
    /** Text searched, ignoring case, in the tokens a feature promotes and the tokens it fires on. */
    token: z.string().min(1).max(100),
    /** A word or a phrase, searched in the examples, among the tokens as `token` is, and in the labels. */
    text: z.string().trim().min(1).max(200),
    latent: indexNumber,
    /** Any of these, such as those that were encircled on a map. */
    latents: z.array(indexNumber).min(1).max(2000),
    /** Latents with a label, or those without. */
    labelled: z.boolean(),
    /** Latents on this list of features. */
    list: storeName,
  })
  .partial();

export const featureListInput = dictionaryInput.extend({
  sort: z.enum(sortsOf(featureView)).default('density'),
  ...pageFields,
  filter: featureFilterInput.default({}),
});
export type FeatureListInput = z.infer<typeof featureListInput>;

export const featureInput = dictionaryInput.extend({ latent: indexNumber });
export type FeatureInput = z.infer<typeof featureInput>;

/** The columns of a list; sae/spec/tables/features.ts describes them. */
export interface FeatureRow extends Omit<
  RowOf<typeof featureView>,
  (typeof featureDetailColumns)[number] | 'promotedTokens' | 'topTokens' | 'topTokenCounts'
> {
  promoted: TokenText[];
  topTokens: TokenCount[];
  label: string | null;
  /** The examples that have the text in them which the list was filtered by; null where none has, and without such a filter. */
  match: TextMatch | null;
}

/** The features of a dictionary that pass a filter. */
export interface FeaturePage extends Page<FeatureRow> {
  /** What the filter's text was looked for in; null without one. Without a search index, which `lazyscope index RUN --search-only` makes, that is tokens and labels alone. */
  searched: 'examples, tokens and labels' | 'tokens and labels' | null;
}

/** The peak is tokens[position − start]; `activations` is as long as `tokens`. */
export interface Example extends Omit<RowOf<typeof stretchColumns>, 'tokens'> {
  rank: number;
  tokens: TokenText[];
}

/** A latent of the same dictionary with a similar decoder row. */
export interface Neighbour {
  latent: number;
  cosine: number;
  density: number;
  promoted: TokenText[];
  label: string | null;
}

/** The counterpart of a feature in another dictionary, according to one comparison. */
export interface Counterpart extends DictionaryReference {
  /** Name of the comparison that this comes from. */
  comparison: string;
  architecture: ArchitectureName;
  /** Only the seed differs between the two dictionaries. */
  sameConfiguration: boolean;
  /** Null when the optimal decoder matching leaves this feature without a counterpart. */
  latent: number | null;
  decoderCosine: number | null;
  encoderCosine: number | null;
  shared: boolean;
  activationCorrelation: number | null;
  firingJaccard: number | null;
  density: number | null;
  promoted: TokenText[];
  label: string | null;
  topExample: Example | null;
}

/** Everything that the feature page shows of one latent. */
export interface FeatureDetail extends Omit<FeatureRow, 'promoted' | 'match'>, DictionaryReference {
  architecture: ArchitectureName;
  hook: string;
  width: number;
  capture: string;
  model: string | null;
  biasEncoder: number;
  promoted: TokenEffect[];
  suppressed: TokenEffect[];
  neighbours: Neighbour[];
  /** Examples by band: `top` first, then the fifths of the activation range from strongest to weakest. */
  examples: { band: string; examples: Example[] }[];
  counterparts: Counterpart[];
  /** Seeds of other dictionaries with the same configuration that were compared with this one. */
  comparedSeeds: number;
  /** Of a crosscoder's latent: how much of it is at each hook point, in the order of the run; null for others, and where the index is older. */
  layers: Omit<RowOf<typeof layerShareTable>, 'latent' | 'layer'>[] | null;
  note: string | null;
  /** The label that is shown, with its source and scores; null without one. */
  labelled: Label | null;
  /** Automatic labels of every method, whether or not they are shown. */
  automaticLabels: Label[];
  /** The lists that the feature is on. */
  lists: string[];
}
