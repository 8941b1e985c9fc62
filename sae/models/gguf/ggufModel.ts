/** A language model in one GGUF file: what a Hugging Face folder would say, from the file's own metadata. */
import { basename } from 'node:path';
import { openGguf } from '../../formats/gguf/ggufFile.ts';
import type { GgufFile } from '../../formats/gguf/ggufFile.ts';
import type { ModelFiles } from '../modelFiles.ts';
import type { WeightSource } from '../weightSource.ts';
import { ggufArchitectures } from './architectures.ts';
import type { TensorPlan } from './ggufArchitecture.ts';
import { GgufFields } from './ggufFields.ts';
import { ggufTokenizer } from './ggufTokenizer.ts';

/** Reads the header alone. Throws `not_found`, `corrupt`, or `bad_input` for an architecture or field that isn't known. */
export function openGgufModel(path: string): ModelFiles {
  const file = openGguf(path);
  const fields = new GgufFields(file);
  const architecture = Object.hasOwn(ggufArchitectures, fields.architecture)
    ? ggufArchitectures[fields.architecture]
    : undefined;
  if (!architecture)
    throw fields.refuse(
      `is a model of architecture '${fields.architecture}', and ${Object.keys(ggufArchitectures).join(', ')} can be read from GGUF`,
    );
  const tokens = fields.texts('tokenizer.ggml.tokens');
  const embedding = file.has('token_embd.weight') ? file.shape('token_embd.weight') : [];
  const config = {
    model_type: architecture.modelType,
    ...architecture.config(fields, file),
    vocab_size: embedding[0] ?? tokens.length,
    bos_token_id: fields.optionalNumber('tokenizer.ggml.bos_token_id') ?? null,
    eos_token_id: endTokens(fields),
  };
  const plans = architecture.weights(fields, file);
  fields.refuseUnread(architecture.harmless);
  return {
    name: fields.optionalText('general.name') ?? basename(path, '.gguf'),
    config,
    configSource: path,
    tokenizer: () => ggufTokenizer(fields, path),
    weights: () => [new GgufWeights(file, plans)],
  };
}

/** End of text, and end of turn where that is another token: either ends what the model writes. */
function endTokens(fields: GgufFields): number[] {
  const ends = ['eos_token_id', 'eot_token_id', 'eom_token_id'].flatMap(
    (key) => fields.optionalNumber(`tokenizer.ggml.${key}`) ?? [],
  );
  return [...new Set(ends)];
}

class GgufWeights implements WeightSource {
  readonly path: string;
  readonly names: readonly string[];
  readonly #file: GgufFile;
  readonly #plans: ReadonlyMap<string, TensorPlan>;

  constructor(file: GgufFile, plans: ReadonlyMap<string, TensorPlan>) {
    this.path = file.path;
    this.names = [...plans.keys()];
    this.#file = file;
    this.#plans = plans;
  }

  shape(name: string): number[] {
    const { stored, shape } = this.#plans.get(name)!;
    return shape ? [...shape] : this.#file.shape(stored);
  }
  dtype(name: string): string {
    return this.#file.dtype(this.#plans.get(name)!.stored);
  }
  stored(name: string) {
    const { stored, rowOrder, change } = this.#plans.get(name)!;
    const format = this.#file.readableType(stored);
    if (change || format === undefined) return undefined;
    return {
      format,
      read: () => {
        const { bytes } = this.#file.stored(stored);
        return rowOrder ? reordered(bytes, this.#file.shape(stored)[0], rowOrder) : bytes;
      },
    };
  }
  float32(name: string): Float32Array {
    const { stored, rowOrder, change } = this.#plans.get(name)!;
    const values = this.#file.float32(stored);
    const ordered = rowOrder ? reordered(values, this.#file.shape(stored)[0], rowOrder) : values;
    return change ? change(ordered) : ordered;
  }
}

function reordered<Values extends Float32Array | Uint8Array>(
  values: Values,
  rows: number,
  rowOrder: (row: number) => number,
): Values {
  const width = values.length / rows;
  const out = values.slice() as Values;
  for (let row = 0; row < rows; row++) {
    const from = rowOrder(row) * width;
    out.set(values.subarray(from, from + width), row * width);
  }
  return out;
}
