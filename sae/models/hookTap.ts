/**
 * Stands at the hook points of one forward pass: hands activations to whoever replaces them, and keeps
 * those that were asked for. What is read is what goes on downstream, so a read of a replaced point gives
 * the replacement.
 */
import { LazyscopeError } from '../errors.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor, Tensor2D } from '../tensor/tf.ts';
import type { HookPoint } from './hookPoints.ts';
import type { ForwardOptions } from './languageModel.ts';

export class HookTap {
  readonly activations = new Map<HookPoint, Tensor>();
  /** By layer. */
  readonly entropySums: Tensor2D[] = [];
  /** Whether each layer's attention is to hand over its entropies. */
  readonly wantsEntropy: boolean;
  #waiting: Set<HookPoint>;
  #replace: NonNullable<ForwardOptions['replace']>;
  #readOnly: boolean;

  constructor({ read = [], replace = {}, readOnly = false, attentionEntropy = false }: ForwardOptions = {}) {
    this.wantsEntropy = attentionEntropy;
    this.#waiting = new Set(read);
    this.#replace = replace;
    this.#readOnly = readOnly;
  }

  /** Whether anything stands at this point. */
  at(name: HookPoint): boolean {
    return this.#waiting.has(name) || this.#replace[name] !== undefined;
  }

  /** Whether the pass may stop: everything that was asked for has been read. */
  get finished(): boolean {
    return this.#readOnly && this.#waiting.size === 0;
  }

  /** Passes x through the point in its public shape; returns what goes downstream, in x's own shape. */
  pass<T extends Tensor>(name: HookPoint, x: T, publicShape: number[]): T {
    if (!this.at(name)) return x;
    let here = x.reshape(publicShape);
    const replace = this.#replace[name];
    if (replace) {
      const replacement = replace(here);
      if (replacement.shape.join() !== publicShape.join())
        throw new LazyscopeError(
          'bad_input',
          `The replacement at '${name}' has shape [${replacement.shape.join(', ')}]; it must be [${publicShape.join(', ')}].`,
        );
      here = replacement;
    }
    if (this.#waiting.delete(name)) this.activations.set(name, tf.keep(here.clone()));
    return here.reshape(x.shape) as T;
  }

  keepEntropy(sums: Tensor2D): void {
    this.entropySums.push(tf.keep(sums));
  }

  dispose(): void {
    tf.dispose(this.entropySums);
    for (const activation of this.activations.values()) activation.dispose();
    this.activations.clear();
  }
}
