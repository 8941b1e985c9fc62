/**
 * The activation functions of MLPs. A new one is one entry of the table (or, when it is long, one file and
 * one entry): its names in config.json and its forward pass in TF.js ops, from which the gradient follows,
 * to which `tf.customGrad` attaches one, or which sae/ops/activation.ts runs as one kernel. Formulas: METHODS.md §5.
 */
import { LazyscopeError } from '../errors.ts';
import { activation } from '../ops/activation.ts';
import type { Tensor } from '../tensor/tf.ts';

export interface ActivationFunction {
  /** act(x), any shape; differentiable. */
  apply(x: Tensor): Tensor;
  /** Other spellings that config.json files use for the same function. */
  aliases: readonly string[];
  /** Whether act is exactly 0 on an interval, so that "share of non-zero entries" says something. */
  exactZeros: boolean;
}

export const activations = {
  relu: { apply: (x: Tensor) => activation('relu', x), aliases: [], exactZeros: true },
  gelu: { apply: (x: Tensor) => activation('gelu', x), aliases: ['gelu_python'], exactZeros: false },
  gelu_new: {
    apply: (x: Tensor) => activation('gelu_new', x),
    aliases: ['gelu_pytorch_tanh', 'gelu_fast'],
    exactZeros: false,
  },
  silu: { apply: (x: Tensor) => activation('silu', x), aliases: ['swish'], exactZeros: false },
} as const satisfies Record<string, ActivationFunction>;

export type ActivationName = keyof typeof activations;
export const activationNames = Object.keys(activations) as ActivationName[];

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
