/** What an activation function of an MLP is to the rest of the product. */
import type { Random } from '../../numerics/random.ts';
import type { Tensor } from '../../tensor/tf.ts';

/** A function's own numbers by name, each [n]; one set a layer. */
export type ActivationParameters = Readonly<Record<string, Tensor>>;

export interface ActivationFunction {
  /** act(x), x of any shape with neurons last; differentiable in x and in the parameters. */
  apply(x: Tensor, parameters: ActivationParameters): Tensor;
  /** What it is while a model trains, where that differs; draws come from `random`. */
  train?(x: Tensor, parameters: ActivationParameters, random: Random): Tensor;
  /** Other spellings that config.json files use for the same function. */
  aliases: readonly string[];
  /** Whether act is exactly 0 on an interval, so that "share of non-zero entries" says something. */
  exactZeros: boolean;
  /** Initial values by name. They are weights of the model, one set a layer. */
  parameters?: Readonly<Record<string, readonly number[]>>;
}
