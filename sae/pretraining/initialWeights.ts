/**
 * Weights before the first step, as in GPT-2: normal with standard deviation 0.02; matrices that write into
 * the residual stream are divided by √(2 · layers), because 2 · layers of them add up; gains 1 and biases 0. Parameters of an
 * activation function start at the values that its definition gives.
 */
import { Random } from '../numerics/random.ts';
import { initialActivationParameter } from '../models/activationFunctions/activationParameters.ts';
import type { ActivationFunctionName } from '../models/activationFunctions/activationFunctions.ts';
import type { ParameterShapes } from '../models/families/storedModules.ts';

const writesToResidual = /(c_proj|o_proj|down_proj)\.weight$/;

export function initialWeights(
  shapes: ParameterShapes,
  layers: number,
  seed: number,
  activation?: ActivationFunctionName,
): Map<string, Float32Array> {
  const weights = new Map<string, Float32Array>();
  for (const [name, shape] of shapes) {
    const count = shape.reduce((product, n) => product * n, 1);
    const own = activation && initialActivationParameter(name, activation);
    if (own) {
      weights.set(name, Float32Array.from(own));
      continue;
    }
    if (shape.length < 2) {
      weights.set(name, new Float32Array(count).fill(name.endsWith('.weight') ? 1 : 0));
      continue;
    }
    const scale = writesToResidual.test(name) ? 0.02 / Math.sqrt(2 * layers) : 0.02;
    weights.set(name, Random.fromSeed(seed, `weight ${name}`).normals(count, scale));
  }
  return weights;
}
