/** The L1 penalty of a training step on the MLP activations a that W_down reads: λ · mean |a| (ProSparse, 2402.13516). */
import { tf, type Tensor } from '../tensor/tf.ts';
import { blockHook } from '../models/hookPoints.ts';
import { HookTap } from '../models/hookTap.ts';

export class ActivationPenalty {
  readonly #layers: number;
  readonly #coefficient: number;
  readonly #means: Tensor[] = [];

  constructor(layers: number, coefficient: number) {
    this.#layers = layers;
    this.#coefficient = coefficient;
  }

  /** A tap that records mean |a| of each layer during the forward pass and leaves the activations as they are. */
  tap(): HookTap {
    if (this.#coefficient === 0) return new HookTap();
    const note = (a: Tensor) => {
      // The layer's tidy would dispose it before the loss is computed.
      this.#means.push(tf.keep(tf.mean(tf.abs(a))));
      return a;
    };
    const hooks = Array.from({ length: this.#layers }, (_, layer) => blockHook(layer, 'mlp.hook_post'));
    return new HookTap({ replace: Object.fromEntries(hooks.map((hook) => [hook, note])) });
  }

  /** The loss plus the penalty of the layers recorded by the tap. */
  addTo(loss: Tensor): Tensor {
    if (this.#means.length === 0) return loss;
    const sum = this.#means.reduce((total, mean) => total.add(mean));
    return loss.add(sum.mul(this.#coefficient / this.#layers));
  }

  dispose(): void {
    tf.dispose(this.#means);
  }
}
