import { z } from 'zod';
import { storeName } from './limits.ts';

/** A language model in a list. */
export interface ModelRow {
  name: string;
  folder: string;
  /** Whether the model came with the package, and is not in the data folder. */
  bundled: boolean;
  family: string;
  activation: string;
  gated: boolean;
  layers: number;
  d: number;
  neurons: number;
  heads: number;
  vocabulary: number;
  contextLength: number;
  /** The hook points that the model has, without those of single experts. */
  hookPoints: string[];
  parameters: number;
}

export const hooksInput = z.object({
  model: storeName,
  hooks: z.array(z.string().min(1).max(100)).max(64),
});

/** Whether a model has a hook point of this name. */
export interface HookCheck {
  hook: string;
  /** Numbers a token; null where the model has no such hook point. */
  width: number | null;
  /** Why it can't be captured; null where it can. */
  fault: string | null;
  /** The hook point of the model whose name is nearest to one that it lacks; null where none is near. */
  nearest: string | null;
}

export const generateInput = z.object({
  model: storeName,
  // A NUL can't be handed to the process that generates.
  prompt: z
    .string()
    .max(20_000)
    .regex(/^[^\0]*$/, 'must not contain a NUL character'),
  maxNewTokens: z.int().min(1).max(2048).default(100),
  /** Sampling temperature; 0 chooses the likeliest token each time. */
  temperature: z.number().min(0).max(10).default(0),
  topK: z.int().positive().optional(),
  topP: z.number().gt(0).max(1).optional(),
  seed: z.int().nonnegative().optional(),
});
export type GenerateInput = z.infer<typeof generateInput>;

/** A text that a model of the server generated. */
export interface Generation {
  model: string;
  prompt: string;
  /** The prompt's continuation, without the prompt. */
  text: string;
  tokens: number;
  seconds: number;
}
