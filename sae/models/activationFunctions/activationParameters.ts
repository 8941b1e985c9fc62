/** Where a model keeps the parameters of its activation function: one set a layer, beside the layer's other weights. */
import { activationFunction } from './activationFunctions.ts';
import type { ActivationFunctionName } from './activationFunctions.ts';
import type { ActivationParameters } from './activationFunction.ts';
import type { Weights } from '../families/storedModules.ts';

const weightName = (mlp: string, parameter: string) => `${mlp}.activation.${parameter}`;

/** Adds their names and shapes; `mlp` is the prefix of the layer's MLP weights. */
export function addActivationShapes(
  shapes: Map<string, number[]>,
  mlp: string,
  name: ActivationFunctionName,
): void {
  for (const [parameter, initial] of Object.entries(activationFunction(name).parameters ?? {}))
    shapes.set(weightName(mlp, parameter), [initial.length]);
}

/** A layer's set, by the function's own names. The tensors stay the model's. */
export function activationParameters(
  weights: Weights,
  mlp: string,
  name: ActivationFunctionName,
): ActivationParameters {
  const names = Object.keys(activationFunction(name).parameters ?? {});
  return Object.fromEntries(names.map((parameter) => [parameter, weights.get(weightName(mlp, parameter))!]));
}

/** The initial values of a weight, if it is such a parameter. */
export function initialActivationParameter(
  weight: string,
  name: ActivationFunctionName,
): readonly number[] | undefined {
  const parameter = /\.activation\.([^.]+)$/.exec(weight)?.[1];
  return parameter === undefined ? undefined : activationFunction(name).parameters?.[parameter];
}
