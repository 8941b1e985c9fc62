/**
 * The activation functions of MLPs. A new one is one entry of a table: its names in config.json and its forward
 * pass in TF.js ops, from which the gradient follows, to which `tf.customGrad` attaches one, or which
 * sae/ops/fusedActivationFunction.ts runs as one kernel. Formulas: METHODS.md §5.
 */
import { LazyscopeError } from '../../errors.ts';
import { fusedActivationFunction } from '../../ops/fusedActivationFunction.ts';
import type { Random } from '../../numerics/random.ts';
import { tf, type Tensor } from '../../tensor/tf.ts';
import type { ActivationFunction, ActivationParameters } from './activationFunction.ts';
import { activationZoo } from './activationZoo.ts';

export const activationFunctions = {
  relu: { apply: (x: Tensor) => fusedActivationFunction('relu', x), aliases: [], exactZeros: true },
  gelu: {
    apply: (x: Tensor) => fusedActivationFunction('gelu', x),
    aliases: ['gelu_python'],
    exactZeros: false,
  },
  gelu_new: {
    apply: (x: Tensor) => fusedActivationFunction('gelu_new', x),
    aliases: ['gelu_pytorch_tanh', 'gelu_fast'],
    exactZeros: false,
  },
  silu: { apply: (x: Tensor) => fusedActivationFunction('silu', x), aliases: ['swish'], exactZeros: false },
  ...activationZoo,
} as const satisfies Record<string, ActivationFunction>;

export type ActivationFunctionName = keyof typeof activationFunctions;
export const activationFunctionNames = Object.keys(activationFunctions) as ActivationFunctionName[];

export function activationFunction(name: ActivationFunctionName): ActivationFunction {
  return activationFunctions[name];
}

/**
 * act(x), any shape with neurons last. Without `parameters` the function's initial ones; with `random`, what it is
 * while a model trains.
 */
export function applyActivationFunction(
  name: ActivationFunctionName,
  x: Tensor,
  parameters?: ActivationParameters,
  random?: Random,
): Tensor {
  const { apply, train, parameters: initial = {} }: ActivationFunction = activationFunctions[name];
  return tf.tidy(() => {
    const own =
      parameters ??
      Object.fromEntries(Object.entries(initial).map(([key, values]) => [key, tf.tensor1d([...values])]));
    return random && train ? train(x, own, random) : apply(x, own);
  });
}

/** One spelling inside: resolves a config.json's `hidden_act` or a person's flag. Throws `bad_input`. */
export function parseActivationFunction(name: string): ActivationFunctionName {
  const found = activationFunctionNames.find((key) => {
    const { aliases }: ActivationFunction = activationFunctions[key];
    return key === name || aliases.includes(name);
  });
  if (!found)
    throw new LazyscopeError(
      'bad_input',
      `Activation function '${name}' is not known: use one of ${activationFunctionNames.join(', ')}.`,
    );
  return found;
}

/** The gated MLPs by their own names: act(gate) ⊙ up (Shazeer, 2002.05202; ReGLU² in ReLU² Wins). */
export const gatedForms = {
  reglu: 'relu',
  geglu: 'gelu',
  swiglu: 'silu',
  reglu2: 'relu2',
} as const satisfies Record<string, ActivationFunctionName>;
