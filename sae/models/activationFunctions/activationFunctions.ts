/**
 * The activation functions of MLPs. A new one is one entry of a table: its names in config.json and its forward
 * pass in TF.js ops, from which the gradient follows, to which `tf.customGrad` attaches one, or which
 * sae/ops/activation.ts runs as one kernel. Formulas: METHODS.md §5.
 */
import { LazyscopeError } from '../../errors.ts';
import { activation } from '../../ops/activation.ts';
import type { Random } from '../../numerics/random.ts';
import { tf, type Tensor } from '../../tensor/tf.ts';
import type { ActivationFunction, ActivationParameters } from './activationFunction.ts';
import { activationZoo } from './activationZoo.ts';

export const activations = {
  relu: { apply: (x: Tensor) => activation('relu', x), aliases: [], exactZeros: true },
  gelu: { apply: (x: Tensor) => activation('gelu', x), aliases: ['gelu_python'], exactZeros: false },
  gelu_new: {
    apply: (x: Tensor) => activation('gelu_new', x),
    aliases: ['gelu_pytorch_tanh', 'gelu_fast'],
    exactZeros: false,
  },
  silu: { apply: (x: Tensor) => activation('silu', x), aliases: ['swish'], exactZeros: false },
  ...activationZoo,
} as const satisfies Record<string, ActivationFunction>;

export type ActivationName = keyof typeof activations;
export const activationNames = Object.keys(activations) as ActivationName[];

export function activationFunction(name: ActivationName): ActivationFunction {
  return activations[name];
}

/**
 * act(x), any shape with neurons last. Without `parameters` the function's initial ones; with `random`, what it is
 * while a model trains.
 */
export function applyActivation(
  name: ActivationName,
  x: Tensor,
  parameters?: ActivationParameters,
  random?: Random,
): Tensor {
  const { apply, train, parameters: initial = {} }: ActivationFunction = activations[name];
  return tf.tidy(() => {
    const own =
      parameters ??
      Object.fromEntries(Object.entries(initial).map(([key, values]) => [key, tf.tensor1d([...values])]));
    return random && train ? train(x, own, random) : apply(x, own);
  });
}

/** One spelling inside: resolves a config.json's `hidden_act` or a person's flag. Throws `bad_input`. */
export function parseActivation(name: string): ActivationName {
  const found = activationNames.find((key) => {
    const { aliases }: ActivationFunction = activations[key];
    return key === name || aliases.includes(name);
  });
  if (!found)
    throw new LazyscopeError(
      'bad_input',
      `Activation function '${name}' is not known: use one of ${activationNames.join(', ')}.`,
    );
  return found;
}

/** The gated MLPs by their own names: act(gate) ⊙ up (Shazeer, 2002.05202; ReGLU² in ReLU² Wins). */
export const gatedForms = {
  reglu: 'relu',
  geglu: 'gelu',
  swiglu: 'silu',
  reglu2: 'relu2',
} as const satisfies Record<string, ActivationName>;
