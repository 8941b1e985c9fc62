/**
 * Weights of a model from its files. Every tensor the model needs must be there with the right shape, and nothing
 * may be left over: a tensor nobody reads means that the model is not the one its config.json describes.
 */
import { LazyscopeError } from '../errors.ts';
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
  for (const file of files) {
    for (const stored of file.names) {
      if (naming.ignored.test(stored)) continue;
      const name = shapes.has(stored) ? stored : naming.prefix + stored;
      if (shapes.has(name)) located.set(name, { file, stored });
      else unexpected.push(stored);
    }
  }
  const missing = [...shapes.keys()].filter((name) => !located.has(name));
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

  const weights = new Map<string, Tensor>();
  try {
    for (const [name, shape] of shapes) {
      const { file, stored } = located.get(name)!;
      weights.set(name, tf.tensor(file.float32(stored), [...shape], 'float32'));
    }
  } catch (error) {
    for (const weight of weights.values()) weight.dispose();
    throw error;
  }
  return weights;
}

function list(names: string[]): string {
  const shown = names.slice(0, 3).map((name) => `'${name}'`);
  return names.length > 3 ? `${shown.join(', ')} and ${names.length - 3} more` : shown.join(', ');
}
