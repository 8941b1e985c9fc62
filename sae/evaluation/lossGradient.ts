/** The gradient of a language model's loss with respect to the activations at a hook point. */
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { predictsNextToken } from '../models/predictsNextToken.ts';
import { blockOf, boundaryOf } from '../models/stretch.ts';
import { softmaxCrossEntropy } from '../ops/softmaxCrossEntropy.ts';
import { pause } from '../pause.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D, type Tensor3D } from '../tensor/tf.ts';

export interface LossGradientOptions {
  model: LanguageModel;
  hook: HookPoint;
  /** [contexts × contextLength] */
  tokens: Int32Array;
  contextLength: number;
  /** The first position whose next token counts. */
  firstPosition: number;
  signal?: AbortSignal | undefined;
  /** Logits of one batch are at most this many numbers. */
  largestLogits?: number;
}

/** Some contexts: the activations and ∂L/∂x, both [contexts × contextLength, width], L the summed cross-entropy of their predicted tokens in nats. */
export interface LossGradient {
  firstContext: number;
  x: Float32Array;
  gradient: Float32Array;
}

/** Some contexts at a time. Throws 'bad_input' for an encoder, and 'cancelled' when the signal is aborted. */
export async function* lossGradients(options: LossGradientOptions): AsyncGenerator<LossGradient> {
  const { model, tokens, contextLength, signal, largestLogits = 1 << 24 } = options;
  predictsNextToken(model, 'it has no loss of next tokens');
  const contexts = tokens.length / contextLength;
  const atOnce = Math.max(1, Math.floor(largestLogits / (model.config.vocabularySize * contextLength)));
  for (let first = 0; first < contexts; first += atOnce) {
    const some = tokens.subarray(first * contextLength, Math.min(first + atOnce, contexts) * contextLength);
    yield { firstContext: first, ...gradientOf(options, some) };
    await pause(signal, 'taking the gradient of the loss');
  }
}

function gradientOf(
  { model, hook, contextLength, firstPosition }: LossGradientOptions,
  tokens: Int32Array,
): Omit<LossGradient, 'firstContext'> {
  return tf.tidy(() => {
    const contexts = tokens.length / contextLength;
    const predictions = contextLength - 1 - firstPosition;
    const input = tf.tensor2d(tokens, [contexts, contextLength], 'int32');
    const next = nextTokens(input, firstPosition, predictions);
    const between = boundaryOf(hook, model.config);
    const start = between ?? blockOf(hook, model.config);
    const below = start > 0 ? model.forward(input, { until: start }).residual : undefined;
    const from = below && { layer: start, residual: below };
    const read = () => {
      const { activations } = model.forward(input, { from, read: [hook], readOnly: true });
      return activations.get(hook)!;
    };
    const x: Tensor = between !== undefined && below ? below : read();
    const loss = (value: Tensor) => {
      const rest =
        between === undefined
          ? { from, replace: { [hook]: () => value } }
          : { from: { layer: between, residual: value } };
      const logits = model.forward(input, rest).logits!;
      const rows = logits
        .slice<Tensor3D>([0, firstPosition, 0], [contexts, predictions, logits.shape[2]])
        .reshape<Tensor2D>([contexts * predictions, -1]);
      return tf.sum(softmaxCrossEntropy(rows, next)).asScalar();
    };
    const gradient = tf.grad(loss)(x);
    const out = { x: x.dataSync<'float32'>(), gradient: gradient.dataSync<'float32'>() };
    if (x !== below) x.dispose();
    return out;
  });
}

function nextTokens(input: Tensor2D, firstPosition: number, predictions: number): Tensor1D {
  return input.slice([0, firstPosition + 1], [input.shape[0], predictions]).flatten();
}
