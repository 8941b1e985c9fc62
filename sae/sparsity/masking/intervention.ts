/**
 * A forward pass in which neurons are masked, and its perplexity, which is measured and not estimated from the errors of layers. Every
 * masking method is an Intervention, and `evaluateIntervention` measures all of them.
 */
import { nextTokenLosses } from '../../models/crossEntropy.ts';
import { blockHook, type HookPoint } from '../../models/hookPoints.ts';
import type { ForwardOptions, LanguageModel } from '../../models/languageModel.ts';
import { maskedActivations, type Mask } from '../../ops/maskedActivations.ts';
import { hostValues } from '../../tensor/hostValues.ts';
import { tf, type Tensor } from '../../tensor/tf.ts';
import type { HostRule, MaskingRule } from './maskingRule.ts';
import type { Reliability } from './reliability.ts';

/** Computes a corrected output of a layer's MLP, [tokens, d], from its output and the masked activations: R-Sparse's low-rank part. */
export type OutputCorrection = (mlpOut: Tensor, masked: Tensor, layer: number) => Tensor;

export interface Intervention {
  /** Changes what the activation function reads before the rule sees it. */
  onPre?: Mask;
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
  /** What the model reads instead of the contexts, whose tokens are still those to be predicted. */
  inputs?: Int32Array;
}

export type Advance = (tokens: number) => Promise<void>;

export interface EvaluationOptions {
  /** Told the tokens of each batch once they have passed; it may throw to stop. */
  advance?: Advance | undefined;
  /** Given every prediction. */
  reliability?: Reliability | undefined;
}

/** Counts of zeros during the forward passes of an intervention. */
interface Tally {
  zeros: Float64Array;
  closed: Float64Array;
  entries: number;
}

/** Whole forward passes with the intervention. Throws 'bad_input' for contexts of one token, and for an encoder. */
export async function evaluateIntervention(
  model: LanguageModel,
  { contexts, seq, batchTokens, inputs = contexts }: EvaluationText,
  intervention: Intervention,
  { advance, reliability }: EvaluationOptions = {},
): Promise<MeasuredIntervention> {
  const { layers, neurons } = model.config;
  const tally: Tally = { zeros: new Float64Array(layers), closed: new Float64Array(layers), entries: 0 };
  const step = Math.max(1, Math.floor(batchTokens / seq)) * seq;
  let sum = 0;
  for (let first = 0; first < contexts.length; first += step) {
    const truth = contexts.subarray(first, first + step);
    sum += tf.tidy(() => {
      const shape: [number, number] = [truth.length / seq, seq];
      const labels = tf.tensor2d(truth, shape, 'int32');
      const ids = tf.tensor2d(inputs.subarray(first, first + step), shape, 'int32');
      const { logits } = model.forward(ids, { replace: replacements(model, intervention, tally) });
      reliability?.add(logits!, labels);
      return nextTokenLosses(logits!, labels).sum().dataSync<'float32'>()[0];
    });
    tally.entries += truth.length * neurons;
    await advance?.(truth.length);
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
function replacements(
  model: LanguageModel,
  { onPre, rule, correct }: Intervention,
  tally: Tally,
): NonNullable<ForwardOptions['replace']> {
  const { layers, d } = model.config;
  const replace: Partial<Record<HookPoint, (activation: Tensor) => Tensor>> = {};
  for (let layer = 0; layer < layers; layer++) {
    let pre: Tensor | undefined;
    let lost: Tensor | undefined;
    replace[blockHook(layer, 'mlp.hook_pre')] = (given) => {
      pre = onPre ? maskedActivations(given, onPre).masked : given;
      return pre;
    };
    replace[blockHook(layer, 'mlp.hook_post')] = (given) => {
      const kept = masked({ model, layer, pre: pre!, given }, rule, tally);
      // What is masked goes through the correction.
      if (correct) lost = tf.sub(given, kept).reshape([-1, model.config.neurons]);
      return kept;
    };
    if (correct)
      replace[blockHook(layer, 'hook_mlp_out')] = (given) =>
        correct(given.reshape([-1, d]), lost!, layer).reshape(given.shape);
  }
  return replace;
}

/** One layer in a forward pass: what its activation function read, and what W_down is about to read. */
interface LayerPass {
  model: LanguageModel;
  layer: number;
  pre: Tensor;
  given: Tensor;
}

/** What W_down reads in place of the activations given. */
function masked(pass: LayerPass, rule: MaskingRule | undefined, tally: Tally): Tensor {
  const { model, layer, given, pre } = pass;
  const { gated, neurons } = model.config;
  if (!rule) {
    tally.zeros[layer] += zerosIn(given, neurons);
    return given;
  }
  if (typeof rule === 'function') return maskedOnHost(pass, rule, tally);
  // Where the MLP is not gated, what the activation function gives is what W_down reads.
  const act = () => (gated ? model.activate(layer, pre) : given);
  const key = rule.key === 'pre' ? pre : rule.key && act();
  const { masked: kept, zeros, zerosBefore } = maskedActivations(given, rule.mask(layer, neurons), key);
  tally.zeros[layer] += zeros;
  // A closed gate makes the product 0, so where there is no 0 none is closed.
  if (gated && zerosBefore > 0) tally.closed[layer] += zerosIn(rule.key === 'act' ? key! : act(), neurons);
  return kept;
}

function maskedOnHost({ model, layer, pre, given }: LayerPass, rule: HostRule, tally: Tally): Tensor {
  const { gated, neurons } = model.config;
  const whole = given.dataSync<'float32'>();
  const a = whole.slice();
  let gates: Float32Array | undefined;
  const act = () => (gates ??= gated ? hostValues(() => model.activate(layer, pre)) : whole);
  if (gated && whole.some((value) => !(Math.abs(value) > 0))) tally.closed[layer] += zeros(act());
  rule({
    a,
    neurons,
    layer,
    get pre() {
      return pre.dataSync<'float32'>();
    },
    get act() {
      return act();
    },
  });
  tally.zeros[layer] += zeros(a);
  return tf.tensor(a, given.shape);
}

/** How many entries are 0, of a tensor that stays where it is. */
function zerosIn(values: Tensor, neurons: number): number {
  const none = new Float32Array(neurons).fill(-Infinity);
  const counted = maskedActivations(values, { rule: 'atMost', bars: none });
  counted.masked.dispose();
  return counted.zeros;
}

function zeros(values: Float32Array): number {
  let count = 0;
  for (let at = 0; at < values.length; at++) if (values[at] === 0) count++;
  return count;
}
