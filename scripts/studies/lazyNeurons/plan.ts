/**
 * The models of the study: one data set, one budget, one size; only what is named here differs. Every one is trained
 * for each of two seeds, the sweep over sizes for one.
 */
import type { LanguageModelTraining } from '../../../sae/models/languageModelTraining.ts';

export interface StudiedModel {
  name: string;
  /** What the tables and plots call it. */
  variant: string;
  group: 'activation' | 'training' | 'size';
  config: Partial<LanguageModelTraining>;
}

export const budget = {
  d: 64,
  layers: 3,
  heads: 4,
  neurons: 256,
  contextLength: 128,
  batchSize: 8,
  steps: 500,
  learningRate: 4e-3,
  finalRate: 0.05,
  warmupSteps: 50,
  validationFraction: 0.01,
  validationSequences: 64,
  validateEvery: 250,
  vocabularySize: 2048,
  dtype: 'F32',
} as const satisfies Partial<LanguageModelTraining>;
export const seeds = [0, 1];
/** Looks at the neurons while a model trains. */
export const observations = 12;

type Variants = Record<string, Partial<LanguageModelTraining>>;

const ungatedNames = ['relu', 'relu2', 'gelu', 'silu', 'smelu', 'tanh', 'crrelu', 'helu', 'stocha'] as const;
const ungated: Variants = Object.fromEntries(ungatedNames.map((activation) => [activation, { activation }]));
/** A gated MLP has three matrices: two thirds of the neurons cost the same. */
const gatedNeurons = 168;
const gated: Variants = {
  reglu: { family: 'llama', activation: 'relu', neurons: gatedNeurons },
  swiglu: { family: 'llama', activation: 'silu', neurons: gatedNeurons },
};
const trainings: Variants = {
  'relu, progressive L1': { activation: 'relu', l1Coefficient: 0.5 },
  'relu, LSUV': { activation: 'relu', initialisation: 'lsuv' },
  'relu, random labels': { activation: 'relu', task: 'random-labels' },
  'relu, random inputs': { activation: 'relu', task: 'random-inputs' },
};
/** The group above has 256 neurons in 3 layers. */
const sizes: Variants = {
  'relu, 64 neurons': { neurons: 64 },
  'relu, 1024 neurons': { neurons: 1024 },
  'relu, 1 layer': { layers: 1 },
  'relu, 6 layers': { layers: 6 },
};

export function studiedModels(): StudiedModel[] {
  const of = (group: StudiedModel['group'], variants: Variants, each: readonly number[]): StudiedModel[] =>
    each.flatMap((seed) =>
      Object.entries(variants).map(([variant, config]) => ({
        name: `${variant.replaceAll(/[^a-z0-9_]+/gi, '-')}-${seed}`,
        variant,
        group,
        config: { ...budget, ...config, seed },
      })),
    );
  return [
    ...of('activation', { ...ungated, ...gated }, seeds),
    ...of('training', trainings, [0]),
    ...of('size', sizes, [0]),
  ];
}
