/** Weights of a model from its files, as tensors of the active backend. */
import { storedTensor } from '../ops/storedTensor.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor } from '../tensor/tf.ts';
import type { ParameterShapes, WeightNaming } from './families/storedModules.ts';
import { locateWeights } from './locateWeights.ts';
import type { WeightSource } from './weightSource.ts';

/** Float32 tensors by name; the caller's to dispose. `source` names the model in errors: `corrupt`, or `bad_input` naming the tensor. */
export function loadWeights(
  files: readonly WeightSource[],
  source: string,
  shapes: ParameterShapes,
  naming: WeightNaming,
): Map<string, Tensor> {
  const { located, problems } = locateWeights(files, source, shapes, naming);
  if (problems.length > 0) throw problems[0];
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
