/**
 * config.json of a Hugging Face folder, parsed once into what the forward pass uses. A field that we don't know and
 * that is not known to be harmless is refused by name, never ignored.
 */
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { families } from './families/families.ts';
import type { Family, Refuse } from './families/family.ts';
import { unreadField } from './families/harmlessFields.ts';
import { refuseHuge } from './modelBudget.ts';
import type { ModelConfig } from './modelConfig.ts';

const top = z.looseObject({
  model_type: z.string().optional(),
  architectures: z.array(z.string()).nullish(),
  quantization_config: z.unknown().optional(),
});

/** Throws `bad_input` with one sentence that names `source` (the file) and what is wrong with it. */
export function parseModelConfig(json: unknown, source: string): ModelConfig {
  const refuse: Refuse = (why) => new LazyscopeError('bad_input', `'${source}' ${why}.`);
  const known = top.safeParse(json);
  if (!known.success) throw refuse('is not the config.json of a language model');
  const { model_type: modelType, architectures, quantization_config: quantization } = known.data;
  const head = architectures?.[0];
  const family = Object.hasOwn(families, modelType ?? '') ? families[modelType ?? ''] : undefined;
  if (!family || (head !== undefined && !family.architectures.includes(head)))
    throw refuse(
      `describes architecture ${head ?? modelType ?? 'without model_type'}; only ${readable()} can be read`,
    );
  if (quantization !== undefined && quantization !== null)
    throw refuse('has quantization_config; use weights in F32, F16 or BF16');
  refuseUnread(family, known.data, refuse);
  refuseHuge(known.data, refuse);
  const config = describe(family, json, refuse);
  checkHeads(config, refuse);
  return config;
}

function readable(): string {
  return Object.values(families)
    .map(({ architectures: [causal] }) => causal)
    .join(', ');
}

function refuseUnread({ fields }: Family, given: Record<string, unknown>, refuse: Refuse): void {
  for (const [name, value] of Object.entries(given)) {
    const why = name in fields.shape ? undefined : unreadField(name, value);
    if (why !== undefined) throw refuse(why);
  }
}

function describe(family: Family, json: unknown, refuse: Refuse): ModelConfig {
  try {
    return family.describe(json, refuse);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const [{ path, message }] = error.issues;
    throw refuse(`is wrong at '${path.join('.')}': ${message}`);
  }
}

function checkHeads(config: ModelConfig, refuse: Refuse): void {
  if (!Number.isInteger(config.headWidth))
    throw refuse(`has width ${config.d}, which ${config.heads} attention heads do not divide`);
  if (config.heads % config.keyValueHeads !== 0)
    throw refuse(
      `has ${config.heads} attention heads, which ${config.keyValueHeads} key-value heads do not divide`,
    );
}

/** The config.json that makes the same model in Hugging Face's transformers, of a family that is trained here. */
export function toHuggingFaceConfig(config: ModelConfig): Record<string, unknown> {
  const { architectures, toHuggingFace } = families[config.family];
  if (!toHuggingFace) throw new TypeError(`models of family ${config.family} are not written`);
  return {
    architectures: [architectures[0]],
    model_type: config.family,
    vocab_size: config.vocabularySize,
    tie_word_embeddings: config.tiedEmbeddings,
    bos_token_id: config.bosId ?? null,
    eos_token_id: config.eosIds.length > 1 ? config.eosIds : (config.eosIds[0] ?? null),
    ...toHuggingFace(config),
  };
}
