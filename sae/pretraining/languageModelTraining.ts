/** The configuration of a language-model training: its schema, its schedules, and the record that is stored in the model's folder. */
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { activationFunctionNames } from '../models/activationFunctions/activationFunctions.ts';
import type { ActivationFunctionName } from '../models/activationFunctions/activationFunctions.ts';
import { languageModelTrainingDefaults } from '../spec/languageModelTrainingDefaults.ts';
import { gpt2Decoder } from '../models/families/gpt2.ts';
import { llamaDecoder } from '../models/families/llama.ts';
import { rotary } from '../models/families/rotaryPositions.ts';
import type { ModelConfig } from '../models/modelConfig.ts';

const size = z.int().positive();

/** Everything that decides the numbers of a training, besides the text. */
export const languageModelTrainingSchema = z.strictObject({
  /** gpt2: ungated MLP act(pre); llama: gated MLP act(gate) ⊙ up (ReGLU, GEGLU, SwiGLU by its activation). */
  family: z.enum(['gpt2', 'llama']),
  activation: z.enum(activationFunctionNames),
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
  /** Initial weights: GPT-2's small normals, or orthonormal and scaled layer by layer (lsuv.ts). */
  initialisation: z.enum(['gpt2', 'lsuv']).default('gpt2'),
  /**
   * The task. `random-labels` replaces the tokens to be predicted, and `random-inputs` the tokens read, by tokens
   * drawn once for each place of the text (Lazy Neuron, 2210.06313), to test whether sparsity emerges without structure in the data.
   */
  task: z.enum(['text', 'random-labels', 'random-inputs']).default('text'),
  /** λ of an L1 term on what W_down reads, mean |a| over entries, at the end of its schedule (ProSparse, 2402.13516); 0 for none. */
  l1Coefficient: z.number().nonnegative().default(0),
  /** Number of stages in which λ rises, each along half a period of a sine. */
  l1Stages: size.default(4),
  /** Share of the training steps that come before the first stage, with λ = 0. */
  l1Start: z.number().min(0).lt(1).default(0.1),
  /** Threshold of the FATReLU that replaces ReLU after training (ProSparse's last step); 0 keeps ReLU. */
  thresholdShift: z.number().nonnegative().default(0),
  /** Sequences of contextLength tokens in one step. */
  batchSize: size,
  steps: size,
  /** Learning rate after the warm-up, from which it falls to `finalRate` of it along half a cosine. */
  learningRate: z.number().positive(),
  finalRate: z.number().min(0).max(1),
  warmupSteps: z.int().nonnegative(),
  /** Decoupled weight decay, applied to matrices only (not to gains and biases). */
  weightDecay: z.number().nonnegative(),
  beta1: z.number().min(0).lt(1),
  beta2: z.number().min(0).lt(1),
  epsilon: z.number().positive(),
  /** Largest global norm of the gradient, which is scaled down to it; null for no clipping. */
  clipNorm: z.number().positive().nullable(),
  /** Share of the text that is held out, in blocks spread evenly over it. */
  validationFraction: z.number().gt(0).lt(1),
  /** Number of held-out sequences on which the validation loss is measured. */
  validationSequences: size,
  /** Steps between validation losses, and between points of the loss curve. */
  validateEvery: size,
  logEvery: size,
  /** Data type in which the trained weights are stored. */
  dtype: z.enum(['F16', 'F32']),
});
export type LanguageModelTraining = z.infer<typeof languageModelTrainingSchema>;

const defaults: LanguageModelTraining = languageModelTrainingDefaults;

/** Fills in defaults and checks every field. Throws `bad_input` naming the field. */
export function parseLanguageModelTraining(options: Partial<LanguageModelTraining>): LanguageModelTraining {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const parsed = languageModelTrainingSchema.safeParse({ ...defaults, ...given });
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
    throw refuse('a number of key-value heads (keyValueHeads) is of the llama family: leave it out for gpt2');
  if (training.heads % (training.keyValueHeads ?? training.heads) !== 0)
    throw refuse(`${training.keyValueHeads} key-value heads do not divide ${training.heads} heads`);
  if (training.family === 'llama' && (training.d / training.heads) % 2 !== 0)
    throw refuse('rotary embedding needs heads of even width');
  if (training.thresholdShift > 0 && training.activation !== 'relu')
    throw refuse(
      `a threshold shift (--threshold-shift) is of relu, and the activation is ${training.activation}`,
    );
  return training;
}

export function modelConfigOf(training: LanguageModelTraining): ModelConfig {
  const { d, layers, heads, neurons, contextLength, vocabularySize } = training;
  const activation: ActivationFunctionName = training.activation;
  const common = {
    d, layers, heads, neurons, contextLength, vocabularySize, activation,
    headWidth: d / heads, tiedEmbeddings: true, normEpsilon: 1e-5, bosId: 0, eosIds: [0],
  }; // prettier-ignore
  if (training.family === 'gpt2') return gpt2Decoder({ ...common, gated: false, keyValueHeads: heads });
  const sizes = { ...common, gated: true, keyValueHeads: training.keyValueHeads ?? heads };
  const refuse = (why: string) =>
    new LazyscopeError('bad_input', `Language-model training: the model ${why}.`);
  return llamaDecoder(sizes, {
    turning: rotary({ rope_theta: 10_000 }, sizes, refuse),
    attentionBias: false,
    mlpBias: false,
  });
}

/** Linear warm-up, then half a cosine from learningRate to finalRate · learningRate. Steps count from 1. */
export function learningRateAt(training: LanguageModelTraining, step: number): number {
  const { learningRate, finalRate, warmupSteps, steps } = training;
  if (step <= warmupSteps) return (learningRate * step) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  return learningRate * (finalRate + (1 - finalRate) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}

/**
 * λ of the L1 term at a step (from 1): 0 until l1Start, then stages of equal length; in stage i of n it goes from
 * λ(i − 1)/n to λi/n as (1 + sin) does from its trough to its crest (ProSparse, 2402.13516).
 */
export function l1CoefficientAt(training: LanguageModelTraining, step: number): number {
  const { l1Coefficient, l1Stages, l1Start, steps } = training;
  const progress = (step / steps - l1Start) / (1 - l1Start);
  if (progress <= 0) return 0;
  const stage = Math.min(l1Stages - 1, Math.floor(progress * l1Stages));
  const within = Math.min(1, progress * l1Stages - stage);
  const risen = (1 + Math.sin(Math.PI * (within - 0.5))) / 2;
  return (l1Coefficient * (stage + risen)) / l1Stages;
}
