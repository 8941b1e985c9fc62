/**
 * A forward pass in which neurons are masked, and its perplexity, which is measured and not estimated from the errors of layers. Every
 * masking method is an Intervention, and `evaluateIntervention` measures all of them.
 */
import { tokenLosses } from '../../models/crossEntropy.ts';
import { blockHook, type HookPoint } from '../../models/hookPoints.ts';
import type { ForwardOptions, LanguageModel } from '../../models/languageModel.ts';
import { hostValues } from '../../tensor/hostValues.ts';
import { tf, type Tensor } from '../../tensor/tf.ts';
import type { MaskingRule } from './maskingRule.ts';

/** Computes a corrected output of a layer's MLP, [tokens, d], from its output and the masked activations: R-Sparse's low-rank part. */
export type OutputCorrection = (mlpOut: Tensor, masked: Tensor, layer: number) => Tensor;

export interface Intervention {
  /** Changes what the activation function reads, in place, before the rule sees it; [tokens, neurons]. */
  onPre?: (pre: Float32Array, neurons: number) => void;
  rule?: MaskingRule;
  /** Called with the MLP's output [tokens, d] and the activations that the rule masked [tokens, neurons]. */
  correct?: OutputCorrection;
}

export interface MeasuredIntervention {
  crossEntropy: number;
  perplexity: number;
  /** Share of the activations read by W_down that are exactly 0, over all layers, and for each layer. */
  sparsity: number;
  sparsityByLayer: number[];
  /** [layers]: share of act(g) that is exactly 0 before the rule, which is the share of W_up that closed gates spare; 0 for an ungated MLP. */
  closedByLayer: number[];
}

/** The text that perplexity is measured on: contexts [contexts · seq], evaluated in batches of about `batchTokens` tokens. */
export interface EvaluationText {
  contexts: Int32Array;
  seq: number;
  batchTokens: number;
}

export type Advance = (tokens: number) => Promise<void>;

/** Counts of zeros during the forward passes of an intervention. */
interface Tally {
  zeros: Float64Array;
  closed: Float64Array;
  entries: number;
}

/** `advance` is told the tokens of each batch once they have passed, and may throw to stop. */
export async function evaluateIntervention(
  model: LanguageModel,
  { contexts, seq, batchTokens }: EvaluationText,
  intervention: Intervention,
  advance?: Advance,
): Promise<MeasuredIntervention> {
  const { layers, neurons } = model.config;
  const tally: Tally = { zeros: new Float64Array(layers), closed: new Float64Array(layers), entries: 0 };
  const step = Math.max(1, Math.floor(batchTokens / seq)) * seq;
  let sum = 0;
  for (let first = 0; first < contexts.length; first += step) {
    const part = contexts.subarray(first, first + step);
    sum += tf.tidy(() => {
      const ids = tf.tensor2d(part, [part.length / seq, seq], 'int32');
      const replace = replacements(model, intervention, tally);
      return tokenLosses(model, ids, replace).sum().dataSync<'float32'>()[0];
    });
    tally.entries += part.length * neurons;
    await advance?.(part.length);
  }
  const crossEntropy = sum / ((contexts.length / seq) * (seq - 1));
  const sparsityByLayer = Array.from(tally.zeros, (zeros) => zeros / tally.entries);
  return {
    crossEntropy,
    perplexity: Math.exp(crossEntropy),
    sparsity: sparsityByLayer.reduce((a, b) => a + b, 0) / layers,
    sparsityByLayer,
    closedByLayer: Array.from(tally.closed, (closed) => closed / tally.entries),
  };
}

/** The replacements at hook points that carry out the intervention in a forward pass; zeros are counted into `tally`. */
export function replacements(
  model: LanguageModel,
  { onPre, rule, correct }: Intervention,
  tally?: Tally,
): NonNullable<ForwardOptions['replace']> {
  const { layers, neurons, gated, d } = model.config;
  const replace: Partial<Record<HookPoint, (activation: Tensor) => Tensor>> = {};
  for (let layer = 0; layer < layers; layer++) {
    let pre: Tensor | undefined;
    let masked: Tensor | undefined;
    replace[blockHook(layer, 'mlp.hook_pre')] = (given) => {
      pre = onPre ? changed(given, (values) => onPre(values, neurons)) : given;
      return pre;
    };
    replace[blockHook(layer, 'mlp.hook_post')] = (given) => {
      const whole = given.dataSync<'float32'>();
      if (!rule) {
        if (tally) tally.zeros[layer] += zerosIn(whole);
        return given;
      }
      const a = whole.slice();
      let gates: Float32Array | undefined;
      const act = () => (gates ??= gated ? hostValues(() => model.activate(layer, pre!)) : whole);
      // A closed gate makes the product 0, so where there is no 0 none is closed.
      if (tally && gated && someAreZero(whole)) tally.closed[layer] += zerosIn(act());
      rule({
        a,
        neurons,
        layer,
        get pre() {
          return pre!.dataSync<'float32'>();
        },
        get act() {
          return act();
        },
      });
      if (correct) masked = tf.tensor2d(whereZero(a, whole), [a.length / neurons, neurons]);
      if (tally) tally.zeros[layer] += zerosIn(a);
      return tf.tensor(a, given.shape);
    };
    if (correct)
      replace[blockHook(layer, 'hook_mlp_out')] = (given) =>
        correct(given.reshape([-1, d]), masked!, layer).reshape(given.shape);
  }
  return replace;
}

/** The entries of `values` where `mask` is 0, and 0 elsewhere. */
function whereZero(mask: Float32Array, values: Float32Array): Float32Array {
  const kept = new Float32Array(values.length);
  for (let at = 0; at < kept.length; at++) if (mask[at] === 0) kept[at] = values[at];
  return kept;
}

/** Whether a value is 0, or no number, which an infinity times 0 is. */
function someAreZero(values: Float32Array): boolean {
  for (let at = 0; at < values.length; at++) if (!(Math.abs(values[at]) > 0)) return true;
  return false;
}

function zerosIn(values: Float32Array): number {
  let zeros = 0;
  for (let at = 0; at < values.length; at++) if (values[at] === 0) zeros++;
  return zeros;
}

function changed(given: Tensor, change: (values: Float32Array) => void): Tensor {
  const values = given.dataSync<'float32'>().slice();
  change(values);
  return tf.tensor(values, given.shape);
}
