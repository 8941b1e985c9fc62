/** Weights of a model from its files, as tensors of the active backend. */
import { LazyscopeError } from '../errors.ts';
import { storedTensor } from '../ops/storedTensor.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor } from '../tensor/tf.ts';
import type { ParameterShapes, WeightNaming } from './families/storedModules.ts';
import { locateWeights, type LocatedWeight } from './locateWeights.ts';
import type { WeightSource } from './weightSource.ts';

/** Float32 tensors by name; the caller's to dispose. `source` names the model in errors: `corrupt`, or `bad_input` naming the tensor. */
export function loadWeights(
  files: readonly WeightSource[],
  source: string,
  shapes: ParameterShapes,
  naming: WeightNaming,
): Map<string, Tensor> {
  const { located, copy, problems } = locateWeights(files, source, shapes, naming);
  if (problems.length > 0) throw problems[0];
  if (copy && !sameValues(copy.copy, copy.of))
    throw new LazyscopeError(
      'bad_input',
      `'${copy.copy.file.path}' has a '${copy.copy.stored}' that differs from '${copy.of.stored}', but config.json ties them (tie_word_embeddings): set that to false to use both, or take the tensor out to use the embedding.`,
    );

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

function sameValues(a: LocatedWeight, b: LocatedWeight): boolean {
  const [storedA, storedB] = [a, b].map(({ file, stored }) => file.stored?.(stored));
  // Equal bytes of one format are equal values, and take no memory to widen.
  if (
    storedA &&
    storedB &&
    storedA.format === storedB.format &&
    Buffer.compare(storedA.read(), storedB.read()) === 0
  )
    return true;
  const [valuesA, valuesB] = [a, b].map(({ file, stored }) => file.float32(stored));
  return (
    valuesA.length === valuesB.length &&
    valuesA.every((value, i) => Object.is(value, valuesB[i]) || value === valuesB[i])
  );
}
