/**
 * What one file a family says: which config.json it reads, how the fields become a description, and what the
 * tensors of a Hugging Face folder are called.
 */
import type { z } from 'zod';
import type { LazyscopeError } from '../../errors.ts';
import type { ModelConfig } from '../modelConfig.ts';

/**
 * Names of modules; `.weight` and `.bias` follow. Those of a block are below `block`, where {layer} stands for the
 * layer's number. Which of the optional ones exist is for the description to say.
 */
export interface DecoderNames {
  /** Files saved from the bare decoder lack it. */
  prefix: string;
  /** Buffers that carry nothing to read. */
  buffers?: RegExp;
  embedding: string;
  embeddingNorm?: string;
  tokenTypes?: string;
  /** Of an encoder's head for masked words. */
  head?: { dense: string; norm: string };
  /** Where the unembedding is called otherwise in files that repeat a tied one. */
  tiedCopy?: string;
  /** What modules were called in older files, as ends of names. */
  renamed?: Readonly<Record<string, string>>;
  positions?: string;
  projectIn?: string;
  projectOut?: string;
  finalNorm: string;
  unembedding: string;
  block: string;
  /** Before attention, or after its sum where norms come after. */
  attentionNorm?: string;
  attentionOutputNorm?: string;
  mlpNorm?: string;
  mlpOutputNorm?: string;
  queryKeyValue:
    | { query: string; key: string; value: string }
    /** One matrix: all queries, all keys, all values; or by key-value head its queries, its key, its value. */
    | { fused: string; order: 'concatenated' | 'byGroup' };
  queryNorm?: string;
  keyNorm?: string;
  attentionOutput: string;
  /** Prefix of the MLP, below which an activation function's parameters are kept. */
  mlp: string;
  /** What the activation function is applied to, and the other factor where it is gated. */
  mlpIn:
    | { gate: string; up?: string }
    | { fusedGateUp: string }
    /** Of a mixture, in which {expert} stands for the expert's number, as it does in `mlpOut`. */
    | { router: string; gate: string; up: string };
  mlpOut: string;
  /** `inOut`: transposed linear layers (GPT-2's Conv1D). */
  stored: 'outIn' | 'inOut';
}

export type Refuse = (why: string) => LazyscopeError;

export interface Family {
  /** Of the model with its unembedding, of the bare model, and of models whose further heads are not read. */
  architectures: readonly [whole: string, bare: string, ...others: string[]];
  /** Which published models these are; for docs/MODELS.md. */
  models: string;
  /** The fields that are read, and those of this family that change no number (`z.unknown()`). */
  fields: z.ZodObject;
  /** The description; throws what `refuse` makes for a value that can't be run. */
  describe(fields: unknown, refuse: Refuse): ModelConfig;
  names(config: ModelConfig): DecoderNames;
  /** The config.json that makes the same model in transformers, for families that are trained here. */
  toHuggingFace?(config: ModelConfig): Record<string, unknown>;
}

/** Ties `describe` to the type that `fields` parses to. */
export function family<Fields extends z.ZodObject>(
  definition: Omit<Family, 'fields' | 'describe'> & {
    fields: Fields;
    describe: (fields: z.infer<Fields>, refuse: Refuse) => ModelConfig;
  },
): Family {
  const { fields, describe } = definition;
  return { ...definition, describe: (given, refuse) => describe(fields.parse(given), refuse) };
}
