/**
 * Every measure that one pass over a text can give, fed by streamActivations.ts: firing of each MLP, attention entropy,
 * signal propagation, cross-entropy, and the sample of tokens that CETT and kernel alignment are computed on afterwards.
 * Memory depends on the model and the sample, never on the text.
 */
import { nextTokenLosses } from '../models/crossEntropy.ts';
import { blockHook, type HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { tf, type Tensor } from '../tensor/tf.ts';
import { AttentionEntropy } from './depth/attentionEntropy.ts';
import { LayerSample } from './firing/layerSample.ts';
import { NeuronFiring } from './firing/neuronFiring.ts';
import { SignalPropagation } from './depth/signalPropagation.ts';
import type { StreamedBatch } from './streamActivations.ts';

export interface StreamingOptions {
  /** Tokens of the whole text, and of a context. */
  tokens: number;
  seq: number;
  /** ε of ratioAt; the middle one is also counted neuron by neuron. */
  thresholds: readonly number[];
  /** Tokens kept whole for what needs true products. */
  sampleTokens: number;
  /** Text examples kept for each neuron. */
  examples: number;
}

const sampleBytes = 256 * 2 ** 20;

export class StreamingMeasures {
  readonly hooks: readonly HookPoint[];
  /** By layer. */
  readonly firing: readonly NeuronFiring[];
  readonly entropy: readonly AttentionEntropy[];
  /** By depth: what the first layer reads, then the residual stream after each layer. */
  readonly signal: SignalPropagation;
  /** What W_down reads, by layer; the residual stream, by depth. Of the same tokens. */
  readonly activationSample: LayerSample;
  readonly residualSample: LayerSample;
  readonly #model: LanguageModel;
  readonly #residuals: readonly HookPoint[];
  #lossSum = 0;
  #lossCount = 0;

  constructor(model: LanguageModel, options: StreamingOptions) {
    const { layers, neurons, heads, d, gated, vocabularySize } = model.config;
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
      ]),
    ];
    this.firing = everyLayer.map(
      () =>
        new NeuronFiring({
          neurons,
          positions: seq,
          vocabulary: vocabularySize,
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
    const { seq, tokens, firstToken } = batch;
    for (const [layer, firing] of this.firing.entries()) {
      const post = at(batch, blockHook(layer, 'mlp.hook_post'));
      const gates = this.#gates(batch, layer);
      firing.add({ tokens, seq, firstToken, activations: post, gates });
      gates?.dispose();
      this.activationSample.add(layer, firstToken, post);
      this.entropy[layer].add(batch.entropySums[layer], seq);
    }
    for (const [depth, hook] of this.#residuals.entries()) {
      const residual = at(batch, hook);
      this.signal.add(depth, residual);
      this.residualSample.add(depth, firstToken, residual);
    }
    this.#lossSum += summedLoss(batch);
    this.#lossCount += batch.contexts * (seq - 1);
  }

  /** Mean −log p of the next token, nats. */
  crossEntropy(): number {
    return this.#lossSum / this.#lossCount;
  }

  /** act(g): a gated MLP's hook_pre is g, and its hook_post, act(g) ⊙ u, says nothing certain about it. */
  #gates(batch: StreamedBatch, layer: number): Tensor | undefined {
    if (!this.#model.config.gated) return undefined;
    return this.#model.activate(layer, at(batch, blockHook(layer, 'mlp.hook_pre')));
  }
}

function at(batch: StreamedBatch, hook: HookPoint): Tensor {
  const tensor = batch.activations.get(hook);
  if (!tensor) throw new TypeError(`the model gave no ${hook}`);
  return tensor;
}

/** −log p(next token), added up over the batch. */
function summedLoss({ logits, ids }: StreamedBatch): number {
  if (!logits) throw new TypeError('the model gave no logits');
  return tf.tidy(() => nextTokenLosses(logits, ids).sum().dataSync<'float32'>()[0]);
}
