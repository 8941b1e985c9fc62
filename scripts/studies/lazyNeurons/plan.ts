/**
 * The models of the study: one data set, one budget, one size; only what is named here differs. Every one is trained
 * for each of two seeds, the sweep over sizes for one.
 */
import type { LanguageModelTraining } from '../../../sae/pretraining/languageModelTraining.ts';

export interface StudiedModel {
  name: string;
  /** The model's name in tables and plots. */
  variant: string;
  group: 'activation' | 'longer' | 'training' | 'size';
  config: Partial<LanguageModelTraining>;
}

export const budget = {
  d: 48,
  layers: 2,
  heads: 4,
  neurons: 192,
  contextLength: 128,
  batchSize: 8,
  steps: 300,
  learningRate: 4e-3,
  finalRate: 0.05,
  warmupSteps: 30,
  validationFraction: 0.01,
  validationSequences: 16,
  validateEvery: 300,
  vocabularySize: 1024,
  dtype: 'F32',
} as const satisfies Partial<LanguageModelTraining>;
export const seeds = [0, 1];
/** How often sparsity is measured while a model trains; longer runs are measured more often, for the time after the first steps. */
export const observations: Record<StudiedModel['group'], number> = {
  activation: 8,
  longer: 24,
  training: 8,
  size: 8,
};

type Variants = Record<string, Partial<LanguageModelTraining>>;

const ungatedNames = ['relu', 'relu2', 'gelu', 'silu', 'smelu', 'tanh', 'crrelu', 'helu', 'stocha'] as const;
const ungated: Variants = Object.fromEntries(ungatedNames.map((activation) => [activation, { activation }]));
/** A gated MLP has three matrices instead of two, so two thirds of the neurons have the same number of parameters. */
const gatedNeurons = 128;
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
/** The group above has 192 neurons in 2 layers. */
const sizes: Variants = {
  'relu, 48 neurons': { neurons: 48 },
  'relu, 768 neurons': { neurons: 768 },
  'relu, 1 layer': { layers: 1 },
  'relu, 4 layers': { layers: 4 },
};

/** Eight times the tokens for the activation functions that the papers say most about. */
const longer: Variants = Object.fromEntries(
  (['relu', 'relu2', 'silu', 'smelu'] as const).map((activation) => [
    `${activation}, longer`,
    { activation, steps: 8 * budget.steps, validateEvery: 8 * budget.steps },
  ]),
);

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
    ...of('longer', longer, seeds),
    ...of('training', trainings, [0]),
    ...of('size', sizes, [0]),
  ];
}
