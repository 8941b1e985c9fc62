/**
 * What the converter of llama.cpp makes of an architecture of `transformers`, undone: fields of the metadata become those of
 * config.json, and each tensor gets its name and its order of numbers back. One file an architecture, or a family of them.
 */
import type { GgufFile } from '../../formats/gguf/ggufFile.ts';
import type { GgufFields } from './ggufFields.ts';

/** How the numbers of a tensor lie in the file, seen from how they should lie. */
export interface TensorPlan {
  /** The name in the file. */
  stored: string;
  /** As `transformers` has it, when it isn't the file's. */
  shape?: number[];
  /** Row i of the weight is row `rowOrder(i)` of the file's tensor. */
  rowOrder?: (row: number) => number;
  /** The weight's values from the file's, both row-major; may change the array given. */
  change?: (values: Float32Array) => Float32Array;
}

export interface GgufArchitecture {
  /** What `transformers` calls it. */
  modelType: string;
  /** Fields that change nothing. */
  harmless: readonly string[];
  /** config.json, without vocab_size and special tokens, which all have in common. */
  config(fields: GgufFields, file: GgufFile): Record<string, unknown>;
  /** Weights by the name `transformers` gives them; every tensor of the file but those of `unused`. */
  weights(fields: GgufFields, file: GgufFile): Map<string, TensorPlan>;
}

/** `blk.3.attn_q.weight` → layer 3 and `attn_q.weight`. */
export function blockTensor(name: string): { layer: string; part: string } | undefined {
  const match = /^blk\.(\d+)\.(.+)$/.exec(name);
  return match ? { layer: match[1], part: match[2] } : undefined;
}

/**
 * Names of a table, `{}` in it standing for the layer: `blk.{}.attn_q` → `model.layers.{}.self_attn.q_proj`. Weight and bias
 * share a line. Throws `bad_input` for a tensor that the table doesn't have.
 */
export function planByName(
  fields: GgufFields,
  file: GgufFile,
  table: Readonly<Record<string, string>>,
  plan: (stored: string, name: string) => Partial<TensorPlan> = () => ({}),
): Map<string, TensorPlan> {
  const plans = new Map<string, TensorPlan>();
  for (const stored of file.names) {
    const block = blockTensor(stored);
    const general = block ? `blk.{}.${block.part}` : stored;
    const suffix = /\.(weight|bias)$/.exec(general)?.[0] ?? '';
    const target = table[general.slice(0, general.length - suffix.length)];
    if (target === undefined)
      throw fields.refuse(
        `has the tensor '${stored}', which a model of architecture ${fields.architecture} isn't known to have: use the model's folder in Hugging Face layout`,
      );
    const name = target.replace('{}', block?.layer ?? '') + suffix;
    plans.set(name, { stored, ...plan(stored, name) });
  }
  return plans;
}

/** `has` of any layer: whether the model's blocks have a tensor. */
export function blocksHave(file: GgufFile, part: string): boolean {
  return file.has(`blk.0.${part}`);
}
