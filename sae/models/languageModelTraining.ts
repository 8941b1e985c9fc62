/** What a language-model training is: its schema, its defaults, and what its folder says about it afterwards. */
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { activationNames } from './activations.ts';
import type { ActivationName } from './activations.ts';
import type { ModelConfig } from './modelConfig.ts';

const size = z.int().positive();

/** Everything that decides the numbers of a training, besides the text. */
export const languageModelTrainingSchema = z.strictObject({
  /** gpt2: ungated MLP act(pre); llama: gated MLP act(gate) ⊙ up (ReGLU, GEGLU, SwiGLU by its activation). */
  family: z.enum(['gpt2', 'llama']),
  activation: z.enum(activationNames),
  /** Width of the residual stream. */
  d: size,
  layers: size,
  heads: size,
  /** Llama only; equal to heads when left out. */
  keyValueHeads: size.optional(),
  /** Width of the MLP. */
  neurons: size,
  contextLength: size,
  vocabularySize: size,
  seed: z.int().nonnegative(),
  /** Sequences of contextLength tokens in one step. */
  batchSize: size,
  steps: size,
  /** After the warm-up; falls to `finalRate` of it along half a cosine. */
  learningRate: z.number().positive(),
  finalRate: z.number().min(0).max(1),
  warmupSteps: z.int().nonnegative(),
  /** Decoupled; on matrices only (not on gains, biases). */
  weightDecay: z.number().nonnegative(),
  beta1: z.number().min(0).lt(1),
  beta2: z.number().min(0).lt(1),
  epsilon: z.number().positive(),
  /** Global gradient norm is clipped here; null leaves it alone. */
  clipNorm: z.number().positive().nullable(),
  /** Share of the text that is held out, in blocks spread evenly over it. */
  validationFraction: z.number().gt(0).lt(1),
  /** Held-out sequences that the validation loss is measured on. */
  validationSequences: size,
  /** Steps between validation losses, and between points of the loss curve. */
  validateEvery: size,
  logEvery: size,
  /** How the weights are stored in the end. */
  dtype: z.enum(['F16', 'F32']),
});
export type LanguageModelTraining = z.infer<typeof languageModelTrainingSchema>;

export const languageModelTrainingDefaults = {
  family: 'gpt2',
  activation: 'relu',
  d: 192,
  layers: 5,
  heads: 6,
  neurons: 720,
  contextLength: 256,
  vocabularySize: 4096,
  seed: 0,
  batchSize: 16,
  steps: 5000,
  learningRate: 2e-3,
  finalRate: 0.1,
  warmupSteps: 200,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  clipNorm: 1,
  validationFraction: 0.005,
  validationSequences: 128,
  validateEvery: 250,
  logEvery: 10,
  dtype: 'F16',
} as const satisfies LanguageModelTraining;

export const lossPointSchema = z.strictObject({
  step: size,
  tokens: size,
  /** Mean training loss, nats a token, since the point before. */
  loss: z.number(),
  /** Present on the steps at which it was measured. */
  validationLoss: z.number().optional(),
  learningRate: z.number(),
  gradientNorm: z.number(),
});
export type LossPoint = z.infer<typeof lossPointSchema>;

/** Defaults filled in and everything checked. Throws `bad_input` naming the field. */
export function parseLanguageModelTraining(options: Partial<LanguageModelTraining>): LanguageModelTraining {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const parsed = languageModelTrainingSchema.safeParse({ ...languageModelTrainingDefaults, ...given });
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new LazyscopeError(
      'bad_input',
      `Language-model training: '${issue.path.join('.') || 'configuration'}' is wrong: ${issue.message}.`,
    );
  }
  const training = parsed.data;
  const refuse = (why: string) => new LazyscopeError('bad_input', `Language-model training: ${why}.`);
  if (training.d % training.heads !== 0)
    throw refuse(`${training.heads} heads do not divide the width ${training.d}`);
  if (training.family === 'gpt2' && training.keyValueHeads !== undefined)
    throw refuse('keyValueHeads belongs to the llama family; leave it out for gpt2');
  if (training.heads % (training.keyValueHeads ?? training.heads) !== 0)
    throw refuse(`${training.keyValueHeads} key-value heads do not divide ${training.heads} heads`);
  if (training.family === 'llama' && (training.d / training.heads) % 2 !== 0)
    throw refuse('rotary embedding needs heads of even width');
  return training;
}

export function modelConfigOf(training: LanguageModelTraining): ModelConfig {
  const { d, layers, heads, neurons, contextLength, vocabularySize } = training;
  const activation: ActivationName = training.activation;
  const common = {
    d, layers, heads, neurons, contextLength, vocabularySize, activation,
    headWidth: d / heads, tiedEmbeddings: true, normEpsilon: 1e-5, bosId: 0, eosIds: [0],
  }; // prettier-ignore
  if (training.family === 'gpt2') return { ...common, family: 'gpt2', gated: false, keyValueHeads: heads };
  return {
    ...common,
    family: 'llama',
    gated: true,
    keyValueHeads: training.keyValueHeads ?? heads,
    ropeTheta: 10_000,
    attentionBias: false,
    mlpBias: false,
  };
}

/** Linear warm-up, then half a cosine from learningRate to finalRate · learningRate. Steps count from 1. */
export function learningRateAt(training: LanguageModelTraining, step: number): number {
  const { learningRate, finalRate, warmupSteps, steps } = training;
  if (step <= warmupSteps) return (learningRate * step) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  return learningRate * (finalRate + (1 - finalRate) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}
