/**
 * Weights of a model from its files. Every tensor the model needs must be there with the right shape, and nothing
 * may be left over: a tensor nobody reads means that the model is not the one its config.json describes.
 */
import { LazyscopeError } from '../errors.ts';
import { storedTensor } from '../ops/storedTensor.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor } from '../tensor/tf.ts';
import type { ParameterShapes, WeightNaming } from './families/storedModules.ts';
import type { WeightSource } from './weightSource.ts';

/** Float32 tensors by name; the caller's to dispose. `source` names the model in errors: `corrupt`, or `bad_input` naming the tensor. */
export function loadWeights(
  files: readonly WeightSource[],
  source: string,
  shapes: ParameterShapes,
  naming: WeightNaming,
): Map<string, Tensor> {
  const located = new Map<string, { file: WeightSource; stored: string }>();
  const unexpected: string[] = [];
  let copy: WeightSource | undefined;
  for (const file of files) {
    for (const stored of file.names) {
      if (naming.ignored.test(stored)) continue;
      if (stored === naming.copy?.name) {
        copy = file;
        continue;
      }
      const name = shapes.has(stored) ? stored : naming.prefix + stored;
      if (shapes.has(name)) located.set(name, { file, stored });
      else unexpected.push(stored);
    }
  }
  const missing = [...shapes.keys()].filter((name) => !located.has(name));
  if (missing.length === 1 && missing[0] === naming.unembedding)
    throw new LazyscopeError(
      'bad_input',
      `The weights in '${source}' were saved from the bare decoder and lack the unembedding '${missing[0]}': fetch the whole model.`,
    );
  if (missing.length > 0)
    throw new LazyscopeError(
      'bad_input',
      `The weights in '${source}' lack ${list(missing)}: fetch them again.`,
    );
  if (unexpected.length > 0)
    throw new LazyscopeError(
      'bad_input',
      `The weights in '${source}' have tensors that its config.json does not account for: ${list(unexpected)}.`,
    );
  for (const [name, shape] of shapes) {
    const { file, stored } = located.get(name)!;
    const actual = file.shape(stored);
    if (actual.join() !== shape.join())
      throw new LazyscopeError(
        'bad_input',
        `'${stored}' of '${file.path}' has shape [${actual.join(', ')}]; config.json makes it [${shape.join(', ')}].`,
      );
  }

  if (copy && naming.copy) {
    const { file, stored } = located.get(naming.copy.of)!;
    if (!sameValues(copy.float32(naming.copy.name), file.float32(stored)))
      throw new LazyscopeError(
        'bad_input',
        `'${copy.path}' has a '${naming.copy.name}' that differs from '${stored}', but config.json ties them (tie_word_embeddings): set that to false to use both, or take the tensor out to use the embedding.`,
      );
  }

  const weights = new Map<string, Tensor>();
  try {
    for (const [name, shape] of shapes) {
      const { file, stored } = located.get(name)!;
      const values = file.stored?.(stored);
      weights.set(
        name,
        values ? storedTensor(shape, values) : tf.tensor(file.float32(stored), [...shape], 'float32'),
      );
    }
  } catch (error) {
    for (const weight of weights.values()) weight.dispose();
    throw error;
  }
  return weights;
}

function sameValues(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]) || value === b[i]);
}

function list(names: string[]): string {
  const shown = names.slice(0, 3).map((name) => `'${name}'`);
  return names.length > 3 ? `${shown.join(', ')} and ${names.length - 3} more` : shown.join(', ');
}
