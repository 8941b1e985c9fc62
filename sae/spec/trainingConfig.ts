/** The configuration of a training run, one schema an architecture. */
import { z } from 'zod';

/** What is common to all architectures. Units of `tokens` and `…Steps` are tokens and optimiser steps. */
const trainingFields = {
  capture: z.string(),
  hook: z.string(),
  /** Latents in the dictionary. */
  width: z.int().positive(),
  seeds: z.array(z.int().nonnegative()).min(1),
  batchSize: z.int().positive(),
  /** Tokens to train on; the capture is read in a fresh permutation an epoch. */
  tokens: z.int().positive(),
  learningRate: z.number().positive(),
  /** Steps of linear (ReLU, TopK) or cosine (JumpReLU) warm-up. */
  warmupSteps: z.int().nonnegative(),
  /** Share of the steps, at the end, over which the rate falls linearly to 0. */
  decayFraction: z.number().min(0).max(1),
  beta1: z.number().min(0).max(1),
  beta2: z.number().min(0).max(1),
  epsilon: z.number().positive(),
  /** Global gradient norm is clipped here; null leaves it alone. */
  clipNorm: z.number().positive().nullable(),
  /** A latent is dead when it has not fired for this many tokens. */
  deadAfter: z.int().positive(),
  /** Steps between checkpoints. */
  checkpointEvery: z.int().positive(),
  /** Steps between rows of metrics.arrow. */
  logEvery: z.int().positive(),
} as const;

export const trainingConfigSchema = z.discriminatedUnion('architecture', [
  z.strictObject({
    architecture: z.literal('relu'),
    ...trainingFields,
    /** λ of the L1 term, after its warm-up. */
    sparsityCoefficient: z.number().nonnegative(),
    /** Share of the steps over which λ rises linearly from 0. */
    sparsityWarmupFraction: z.number().min(0).max(1),
  }),
  z.strictObject({
    architecture: z.literal('topk'),
    ...trainingFields,
    k: z.int().positive(),
    /** α of AuxK. */
    auxCoefficient: z.number().nonnegative(),
  }),
  z.strictObject({
    architecture: z.literal('jumprelu'),
    ...trainingFields,
    sparsityCoefficient: z.number().nonnegative(),
    sparsityWarmupFraction: z.number().min(0).max(1),
    /** When set, the loss is λ(L0/L0* − 1)² with this L0* instead of λ·L0. */
    targetL0: z.number().positive().nullable(),
    /** ε of the straight-through estimators. */
    bandwidth: z.number().positive(),
    /** θ before the first step. */
    initialThreshold: z.number().positive(),
  }),
]);
export type TrainingConfig = z.infer<typeof trainingConfigSchema>;
export type Architecture = TrainingConfig['architecture'];
export const architectures = ['relu', 'topk', 'jumprelu'] as const satisfies readonly Architecture[];
