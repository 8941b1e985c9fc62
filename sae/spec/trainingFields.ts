/**
 * The settings of a training run that every architecture has. Units of `tokens` and of `…Steps` are tokens and optimiser
 * steps.
 */
import type { Field, ValuesOf } from './fields.ts';

/** A setting as `train` and its form show it. */
export type Setting = Field & {
  /** Its name in forms and tables. */
  readonly label: string;
  /** Whether it is a flag of `lazyscope train` and a field of the training form. All settings can be read in run.json. */
  readonly offered?: true;
  /** Its value in configurations that were stored before it existed. */
  readonly before?: null | number;
};
export type Settings = Readonly<Record<string, Setting>>;

/** The settings that training has for every architecture. */
export const trainingFields = {
  capture: { type: 'text', label: 'Capture', doc: 'the capture to train on' },
  hook: { type: 'text', label: 'Hook point', doc: 'the hook point whose activations are read' },
  width: {
    type: 'integer',
    min: 1,
    placeholder: 'latents',
    label: 'Latents',
    doc: 'latents of the dictionary',
  },
  seeds: { type: 'integers', min: 0, maxItems: 1000, label: 'Seeds', doc: 'seeds of the initialisations' },
  batchSize: { type: 'integer', min: 1, label: 'Batch size', doc: 'tokens a step' },
  tokens: {
    type: 'integer',
    min: 1,
    label: 'Tokens to train on',
    doc: 'tokens to train on; the capture is read in a fresh permutation an epoch',
  },
  learningRate: {
    type: 'number',
    min: 0,
    above: true,
    placeholder: 'rate',
    label: 'Learning rate',
    doc: 'after warm-up',
  },
  warmupSteps: {
    type: 'integer',
    min: 0,
    label: 'Warm-up steps',
    doc: 'steps over which the learning rate rises from 0',
  },
  decayFraction: {
    type: 'number',
    min: 0,
    max: 1,
    label: 'Decay',
    doc: 'share of the steps, at the end, over which the learning rate falls linearly to 0',
  },
  beta1: { type: 'number', min: 0, max: 1, label: 'β₁', doc: "decay of Adam's first moment" },
  beta2: { type: 'number', min: 0, max: 1, label: 'β₂', doc: "decay of Adam's second moment" },
  epsilon: { type: 'number', min: 0, above: true, label: 'Adam’s ε', doc: "Adam's ε, outside the root" },
  clipNorm: {
    type: 'number',
    min: 0,
    above: true,
    nullable: true,
    label: 'Gradient clipping',
    doc: 'norm to which the whole gradient is brought down; null leaves it alone',
  },
  deadAfter: {
    type: 'integer',
    min: 1,
    label: 'Dead after',
    doc: 'tokens without firing after which a latent counts as dead',
  },
  checkpointEvery: {
    type: 'integer',
    min: 1,
    placeholder: 'steps',
    label: 'Checkpoint every',
    doc: 'steps between checkpoints',
  },
  logEvery: {
    type: 'integer',
    min: 1,
    placeholder: 'steps',
    label: 'Log every',
    doc: 'steps between rows of metrics',
  },
} as const satisfies Settings;

/** Values of the settings that every architecture has. */
export type TrainingSettings = ValuesOf<typeof trainingFields>;
