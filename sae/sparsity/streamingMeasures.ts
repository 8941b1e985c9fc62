/**
 * All measures that one pass over a text gives, fed by streamActivations.ts: firing of each MLP, attention entropy,
 * signal propagation, cross-entropy, and the sample of tokens that CETT and kernel alignment are computed on afterwards.
 * Memory depends on the model and the size of the sample, not on the text.
 */
import { nextTokenLosses } from '../models/crossEntropy.ts';
import { blockHook, type HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { chosenExperts } from '../models/routeTokens.ts';
import { tf, type Tensor } from '../tensor/tf.ts';
import { AttentionEntropy } from './depth/attentionEntropy.ts';
import { LayerSample } from './firing/layerSample.ts';
import { NeuronFiring } from './firing/neuronFiring.ts';
import { SignalPropagation } from './depth/signalPropagation.ts';
import type { StreamedBatch } from './streamActivations.ts';

export interface StreamingOptions {
  /** Number of tokens in the whole text, and in a context. */
  tokens: number;
  seq: number;
  /** ε of ratioAt; the middle one is also counted neuron by neuron. */
  thresholds: readonly number[];
  /** Number of tokens whose full activations are kept, for measures that need exact products. */
  sampleTokens: number;
  /** Number of text examples kept for each neuron. */
  examples: number;
}

const sampleBytes = 256 * 2 ** 20;

export class StreamingMeasures {
  readonly hooks: readonly HookPoint[];
  /** [layers]: firing of each layer's MLP. */
  readonly firing: readonly NeuronFiring[];
  readonly entropy: readonly AttentionEntropy[];
  /** By depth: the residual stream after the embedding, then after each layer. */
  readonly signal: SignalPropagation;
  /** Of the same sampled tokens, what W_down reads in each layer, and the residual stream at each depth. */
  readonly activationSample: LayerSample;
  readonly residualSample: LayerSample;
  readonly #model: LanguageModel;
  readonly #residuals: readonly HookPoint[];
  #lossSum = 0;
  #lossCount = 0;

  constructor(model: LanguageModel, options: StreamingOptions) {
    const { layers, neurons, heads, d, gated, vocabularySize, experts } = model.config;
    const { tokens, seq, thresholds, sampleTokens: size, examples } = options;
    const everyLayer = Array.from({ length: layers }, (_, layer) => layer);
    this.#model = model;
    this.#residuals = [
      blockHook(0, 'hook_resid_pre'),
      ...everyLayer.map((layer) => blockHook(layer, 'hook_resid_post')),
    ];
    this.hooks = [
      ...this.#residuals,
      ...everyLayer.flatMap((layer): HookPoint[] => [
        blockHook(layer, 'mlp.hook_post'),
        ...(gated ? [blockHook(layer, 'mlp.hook_pre')] : []),
        ...(experts ? [blockHook(layer, 'mlp.hook_expert_indices')] : []),
      ]),
    ];
    this.firing = everyLayer.map(
      () =>
        new NeuronFiring({
          neurons,
          positions: seq,
          vocabulary: vocabularySize,
          experts,
          thresholds,
          neuronThreshold: Math.floor(thresholds.length / 2),
          keptExamples: examples,
        }),
    );
    this.entropy = everyLayer.map(() => new AttentionEntropy(heads));
    this.signal = new SignalPropagation(layers + 1);
    const bytes = sampleBytes / 2;
    this.activationSample = new LayerSample(tokens, { layers, width: neurons, size, bytes });
    this.residualSample = new LayerSample(tokens, { layers: layers + 1, width: d, size, bytes });
  }

  add(batch: StreamedBatch): void {
    const { seq, tokens, firstToken, continues } = batch;
    for (const [layer, firing] of this.firing.entries()) {
      const post = at(batch, blockHook(layer, 'mlp.hook_post'));
      const { gates, routed } = this.#gates(batch, layer);
      firing.add({ tokens, seq, firstToken, activations: post, gates, routed, continues });
      gates?.dispose();
      this.activationSample.add(layer, firstToken, post);
      this.entropy[layer].add(batch.entropySums[layer], seq);
    }
    for (const [depth, hook] of this.#residuals.entries()) {
      const residual = at(batch, hook);
      this.signal.add(depth, residual);
      this.residualSample.add(depth, firstToken, residual);
    }
    if (this.#model.config.encoder) return;
    this.#lossSum += summedLoss(batch);
    this.#lossCount += batch.contexts * (seq - 1);
  }

  /** Mean cross-entropy of the next token, in nats; NaN for an encoder, which predicts none. */
  crossEntropy(): number {
    return this.#lossSum / this.#lossCount;
  }

  /**
   * act(g) of a gated MLP, computed from g at hook_pre, because it can't be recovered from act(g) ⊙ u at hook_post; undefined for an
   * ungated MLP. In a mixture it is 0 where the token does not go to the expert, which `routed` says.
   */
  #gates(batch: StreamedBatch, layer: number): { gates?: Tensor; routed?: Float32Array } {
    const { gated, experts, neurons } = this.#model.config;
    if (!gated) return {};
    const gates = this.#model.activate(layer, at(batch, blockHook(layer, 'mlp.hook_pre')));
    if (!experts) return { gates };
    const { count } = experts;
    const chosen = chosenExperts(at(batch, blockHook(layer, 'mlp.hook_expert_indices')), count);
    const routed = chosen.dataSync<'float32'>().slice();
    const own = tf.tidy(() =>
      gates
        .reshape([-1, count, neurons / count])
        .mul(chosen.expandDims(2))
        .reshape(gates.shape),
    );
    tf.dispose([gates, chosen]);
    return { gates: own, routed };
  }
}

function at(batch: StreamedBatch, hook: HookPoint): Tensor {
  const tensor = batch.activations.get(hook);
  if (!tensor) throw new TypeError(`the model gave no ${hook}`);
  return tensor;
}

/** The sum over the batch of −log p(next token), in nats. */
function summedLoss({ logits, ids }: StreamedBatch): number {
  if (!logits) throw new TypeError('the model gave no logits');
  return tf.tidy(() => nextTokenLosses(logits, ids).sum().dataSync<'float32'>()[0]);
}
