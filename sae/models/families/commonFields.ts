/** Fields of config.json that many families share. */
import { z } from 'zod';
import { LazyscopeError } from '../../errors.ts';
import { parseActivationFunction } from '../activationFunctions/activationFunctions.ts';
import type { ActivationFunctionName } from '../activationFunctions/activationFunctions.ts';
import type { Refuse } from './family.ts';

/** Larger than any width, vocabulary or context there is. */
export const size = z
  .int()
  .positive()
  .max(1 << 28);
export const positive = z.number().positive();

export const tokenFields = {
  vocab_size: size,
  bos_token_id: z.int().nullish(),
  eos_token_id: z.union([z.int(), z.array(z.int())]).nullish(),
};

/** The sizes as Llama and most families after it spell them. */
export const sizeFields = {
  ...tokenFields,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
};

export const groupedFields = { ...sizeFields, num_key_value_heads: size.nullish(), head_dim: size.nullish() };

interface Sized {
  vocab_size: number;
  bos_token_id?: number | null | undefined;
  eos_token_id?: number | number[] | null | undefined;
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads?: number | null | undefined;
  head_dim?: number | null | undefined;
}

/** The sizes that `sizeFields` or `groupedFields` read. */
export function sizesOf(hf: Sized) {
  return {
    vocabularySize: hf.vocab_size,
    d: hf.hidden_size,
    layers: hf.num_hidden_layers,
    heads: hf.num_attention_heads,
    keyValueHeads: hf.num_key_value_heads ?? hf.num_attention_heads,
    headWidth: hf.head_dim ?? hf.hidden_size / hf.num_attention_heads,
    neurons: hf.intermediate_size,
    ...specialTokens(hf),
  };
}

export function specialTokens(hf: Pick<Sized, 'bos_token_id' | 'eos_token_id'>) {
  const eos = hf.eos_token_id ?? [];
  return { bosId: hf.bos_token_id ?? undefined, eosIds: Array.isArray(eos) ? eos : [eos] };
}

export function knownActivation(name: string, refuse: Refuse): ActivationFunctionName {
  try {
    return parseActivationFunction(name);
  } catch (error) {
    if (error instanceof LazyscopeError) throw refuse(`asks for the unknown activation function '${name}'`);
    throw error;
  }
}

/** By layer: 'sliding_attention' or 'full_attention'. */
export const layerTypes = z.array(z.enum(['sliding_attention', 'full_attention'])).nullish();

/** Whether each layer slides: what `layer_types` says, else the family's rule. */
export function slidingLayers(
  given: readonly string[] | null | undefined,
  layers: number,
  rule: (layer: number) => boolean,
  refuse: Refuse,
): boolean[] {
  if (!given) return Array.from({ length: layers }, (_, layer) => rule(layer));
  if (given.length !== layers)
    throw refuse(`has ${given.length} layer_types, but num_hidden_layers is ${layers}`);
  return given.map((type) => type === 'sliding_attention');
}
