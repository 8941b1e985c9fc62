/**
 * The activation functions of MLPs. A new one is one entry of the table (or, when it is long, one file and
 * one entry): its names in config.json and its forward pass in TF.js ops, from which the gradient follows
 * or to which `tf.customGrad` attaches one. Formulas: METHODS.md §5.
 */
import { LazyscopeError } from '../errors.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor } from '../tensor/tf.ts';

export interface ActivationFunction {
  /** act(x), any shape; differentiable. */
  apply(x: Tensor): Tensor;
  /** Other spellings that config.json files use for the same function. */
  aliases: readonly string[];
  /** Whether act is exactly 0 on an interval, so that "share of non-zero entries" says something. */
  exactZeros: boolean;
}

/** x · Φ(x), Φ the normal distribution function (Hendrycks & Gimpel, 1606.08415). */
const gelu = (x: Tensor) => tf.tidy(() => x.mul(x.mul(Math.SQRT1_2).erf().mul(0.5).add(0.5)));

/** The tanh approximation of GELU that GPT-2 was trained with. */
const geluTanh = (x: Tensor) =>
  tf.tidy(() => {
    const inner = x.mul(x.mul(x).mul(0.044715).add(1)).mul(Math.sqrt(2 / Math.PI));
    return x.mul(inner.tanh().mul(0.5).add(0.5));
  });

const silu = (x: Tensor) => tf.tidy(() => x.mul(x.sigmoid()));

export const activations = {
  relu: { apply: (x: Tensor) => x.relu(), aliases: [], exactZeros: true },
  gelu: { apply: gelu, aliases: ['gelu_python'], exactZeros: false },
  gelu_new: { apply: geluTanh, aliases: ['gelu_pytorch_tanh', 'gelu_fast'], exactZeros: false },
  silu: { apply: silu, aliases: ['swish'], exactZeros: false },
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
