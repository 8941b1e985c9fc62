/**
 * A language model's losses by context, as it is and with each of several substitutes at a hook point. The layers below
 * the hook point are run once, and everything else once for each substitute; logits are made for a few rows at a time.
 */
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { predictsNextToken } from '../models/predictsNextToken.ts';
import { blockOf, boundaryOf } from '../models/stretch.ts';
import { softmaxCrossEntropy } from '../ops/softmaxCrossEntropy.ts';
import { pause } from '../pause.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D, type Tensor3D } from '../tensor/tf.ts';

export interface ContextLossOptions<Name extends string> {
  model: LanguageModel;
  hook: HookPoint;
  /** [contexts × contextLength] */
  tokens: Int32Array;
  contextLength: number;
  firstPosition: number;
  /** 1 for each row that keeps its own activation [contexts × (contextLength − firstPosition)]; null for none. */
  keepsOwn?: Uint8Array | null | undefined;
  /** Another hook point, before `hook`, whose activations in the unchanged model substitutes are given too. */
  input?: HookPoint | undefined;
  /**
   * Of a crosscoder: the hook points whose activations, times their scales and side by side, substitutes are given as x and give back, and which of
   * them are replaced, of which `hook` is the first. All are read in the unchanged model.
   */
  joint?: { readonly layers: readonly JointLayer[]; readonly replaced: readonly JointLayer[] } | undefined;
  /** What takes the activation's place: x [rows, width] → x̂ [rows, width]. `input` is x where no other hook point is named. */
  substitutes: Record<Name, (x: Tensor2D, input: Tensor2D) => Tensor2D>;
  /** Substitutes whose divergence from the unchanged model is wanted; none by default. */
  diverging?: readonly NoInfer<Name>[];
  /** Shown the logits [rows, vocabulary] of each block of positions: those of the unchanged model, then those of each substitute. */
  inspect?: ((name: string, logits: Tensor2D) => void) | undefined;
  /** Called after each batch with the number of contexts done. */
  progress?: ((contexts: number) => void) | undefined;
  signal?: AbortSignal | undefined;
  /** Logits of one block are at most this many numbers. */
  largestLogits?: number;
}

/** A hook point that a crosscoder reads; see sae/spec/layers.ts. */
export interface JointLayer {
  readonly hook: HookPoint;
  readonly width: number;
  readonly scale: number;
}

export interface ContextLosses<Name extends string> {
  /** Mean cross-entropy of each context in nats a predicted token, [contexts]. */
  crossEntropy: Record<Name | 'clean', Float64Array>;
  /** Mean over the predicted tokens of each context of KL(clean ‖ substitute), in nats, [contexts]. */
  divergence: Partial<Record<Name, Float64Array>>;
}

/** A batch is at most this many multiplications of one pass, so that there is a pause every second or so on a slow machine. */
const largestBatch = 2 ** 36;

/** Throws 'cancelled' when the signal is aborted. */
export async function contextLosses<Name extends string>(
  options: ContextLossOptions<Name>,
): Promise<ContextLosses<Name>> {
  const { model, tokens, contextLength, firstPosition, signal } = options;
  predictsNextToken(model, 'it has no loss of next tokens');
  const contexts = tokens.length / contextLength;
  const names = Object.keys(options.substitutes) as Name[];
  const zeros = () => new Float64Array(contexts);
  const losses: ContextLosses<Name> = {
    crossEntropy: Object.fromEntries(['clean', ...names].map((name) => [name, zeros()])) as Record<
      Name | 'clean',
      Float64Array
    >,
    divergence: Object.fromEntries((options.diverging ?? []).map((name) => [name, zeros()])) as Partial<
      Record<Name, Float64Array>
    >,
  };
  const rows = Math.min(4096, largestBatch / model.parameterCount());
  const batch = Math.min(contexts, Math.max(1, Math.floor(rows / contextLength)));
  for (let from = 0; from < contexts; from += batch) {
    const to = Math.min(from + batch, contexts);
    const perContext = contextLength - firstPosition;
    const part = {
      ...options,
      keepsOwn: options.keepsOwn?.subarray(from * perContext, to * perContext),
      tokens: tokens.subarray(from * contextLength, to * contextLength),
    };
    const streams = new Map<Name | 'clean', FinalStream>();
    try {
      await runSubstitutes(part, streams);
      await addLosses(part, streams, from, losses);
    } finally {
      for (const { residual, normalised } of streams.values()) tf.dispose([residual, normalised ?? []]);
    }
    options.progress?.(to);
    await pause(signal, 'measuring losses');
  }
  return losses;
}

/** What follows the last block, [contexts, seq, d]; and what stands at ln_final.hook_normalized, if that is not computed from it. */
interface FinalStream {
  residual: Tensor3D;
  normalised?: Tensor3D;
}

const finalHook: HookPoint = 'ln_final.hook_normalized';

async function runSubstitutes<Name extends string>(
  options: ContextLossOptions<Name>,
  streams: Map<Name | 'clean', FinalStream>,
): Promise<void> {
  const { model, hook, tokens, contextLength, signal } = options;
  const { layers } = model.config;
  const input = tf.tensor2d(tokens, [tokens.length / contextLength, contextLength], 'int32');
  // Where the hook point is the residual stream between two blocks, the pass goes on from what takes its place.
  const { joint } = options;
  const between = joint ? undefined : boundaryOf(hook, model.config);
  const hooks = joint?.replaced.map((layer) => layer.hook) ?? [hook];
  const start = between ?? Math.min(...hooks.map((own) => blockOf(own, model.config)));
  const below = start > 0 ? residualOf(model, input, { until: start }) : undefined;
  const read = joint
    ? jointActivationOf(model, input, joint.layers)
    : options.input === undefined
      ? undefined
      : activationOf(model, input, options.input);
  try {
    await pause(signal, 'measuring losses');
    const from = below && { layer: start, residual: below };
    const clean = residualOf(model, input, { from, until: layers });
    streams.set('clean', { residual: clean });
    for (const [name, substitute] of Object.entries(options.substitutes) as [
      Name,
      (x: Tensor2D, input: Tensor2D) => Tensor2D,
    ][]) {
      await pause(signal, 'measuring losses');
      const replaced = (x: Tensor) => replaceFrom(x, read ?? x, options, substitute);
      if (joint && read) {
        const replace = Object.fromEntries(
          joint.replaced.map((layer) => [
            layer.hook,
            (x: Tensor) => replaceFrom(x, read, options, (_, rows) => blockOfLayer(substitute(rows, rows), layer, joint.layers)), // prettier-ignore
          ]),
        );
        streams.set(name, { residual: residualOf(model, input, { from, until: layers, replace }) });
      } else if (hook === finalHook) {
        const normalised = tf.tidy(() => {
          const { activations } = model.forward(input, {
            from: { layer: layers, residual: clean },
            read: [hook],
            readOnly: true,
          });
          const own = activations.get(hook)!;
          const taken = replaced(own) as Tensor3D;
          own.dispose();
          return taken;
        });
        streams.set(name, { residual: clean.clone(), normalised });
      } else if (from && between !== undefined) {
        const residual = tf.tidy(() => replaced(from.residual));
        streams.set(name, {
          residual: residualOf(model, input, { from: { layer: start, residual }, until: layers }),
        });
        residual.dispose();
      } else
        streams.set(name, {
          residual: residualOf(model, input, { from, until: layers, replace: { [hook]: replaced } }),
        });
    }
  } finally {
    tf.dispose([input, below ?? [], read ?? []]);
  }
}

function activationOf(model: LanguageModel, input: Tensor2D, hook: HookPoint): Tensor {
  return tf.tidy(() => {
    const activation = model.forward(input, { read: [hook], readOnly: true }).activations.get(hook);
    if (!activation) throw new Error(`the model returned nothing for ${hook}`);
    return activation;
  });
}

/** The activations of all layers times their scales, [contexts, seq, width of all together]. */
function jointActivationOf(model: LanguageModel, input: Tensor2D, layers: readonly JointLayer[]): Tensor {
  return tf.tidy(() => {
    const read = layers.map(({ hook }) => hook);
    const { activations } = model.forward(input, { read, readOnly: true });
    return tf.concat(
      layers.map(({ hook, width, scale }) => {
        const activation = activations.get(hook);
        if (!activation) throw new Error(`the model returned nothing for ${hook}`);
        return activation.reshape([...input.shape, width]).mul(scale);
      }),
      2,
    );
  });
}

/** The columns of one layer, as the model has them. */
function blockOfLayer(x: Tensor2D, layer: JointLayer, layers: readonly JointLayer[]): Tensor2D {
  let from = 0;
  for (const before of layers.slice(0, layers.indexOf(layer))) from += before.width;
  return x.slice<Tensor2D>([0, from], [x.shape[0], layer.width]).div<Tensor2D>(layer.scale);
}

function residualOf(
  model: LanguageModel,
  input: Tensor2D,
  options: Parameters<LanguageModel['forward']>[1],
): Tensor3D {
  return tf.tidy(() => {
    const { residual } = model.forward(input, options);
    if (!residual) throw new Error('the model returned no residual stream');
    return residual;
  });
}

async function addLosses<Name extends string>(
  options: ContextLossOptions<Name>,
  streams: ReadonlyMap<Name | 'clean', FinalStream>,
  firstContext: number,
  losses: ContextLosses<Name>,
): Promise<void> {
  const { model, tokens, contextLength, firstPosition, signal, largestLogits = 1 << 24 } = options;
  const contexts = tokens.length / contextLength;
  const predictions = contextLength - 1 - firstPosition;
  const rows = Math.max(1, Math.floor(largestLogits / model.config.vocabularySize));
  const contextsAtOnce = Math.max(1, Math.floor(rows / predictions));
  const positionsAtOnce = Math.min(rows, predictions);
  for (let from = 0; from < contexts; from += contextsAtOnce)
    for (let position = 0; position < predictions; position += positionsAtOnce) {
      const block = {
        context: from,
        contexts: Math.min(contextsAtOnce, contexts - from),
        position: firstPosition + position,
        positions: Math.min(positionsAtOnce, predictions - position),
      };
      await pause(signal, 'measuring losses');
      addBlock(options, streams, block, (name, kind, context, sum) => {
        const of = kind === 'divergence' ? losses.divergence[name as Name] : losses.crossEntropy[name];
        if (of) of[firstContext + context] += sum / predictions;
      });
    }
}

/** A few contexts and a few of their positions. */
interface Block {
  context: number;
  contexts: number;
  position: number;
  positions: number;
}

function addBlock<Name extends string>(
  { model, tokens, contextLength, diverging = [], inspect }: ContextLossOptions<Name>,
  streams: ReadonlyMap<Name | 'clean', FinalStream>,
  { context, contexts, position, positions }: Block,
  add: (name: Name | 'clean', kind: 'crossEntropy' | 'divergence', context: number, sum: number) => void,
): void {
  const cut = (x: Tensor3D) => x.slice([context, position, 0], [contexts, positions, x.shape[2]]);
  const addRows = (name: Name | 'clean', kind: 'crossEntropy' | 'divergence', rows: Tensor1D) => {
    const values = rows.dataSync<'float32'>();
    for (let c = 0; c < contexts; c++) {
      let sum = 0;
      for (let p = 0; p < positions; p++) sum += values[c * positions + p];
      add(name, kind, context + c, sum);
    }
  };
  tf.tidy(() => {
    const next = tf.tensor1d(
      Int32Array.from(
        { length: contexts * positions },
        (_, i) =>
          tokens[(context + Math.floor(i / positions)) * contextLength + position + 1 + (i % positions)],
      ),
      'int32',
    );
    let logP: Tensor2D | undefined;
    for (const [name, { residual, normalised }] of streams) {
      const stays = tf.tidy(() => {
        const { logits } = model.forward(tf.zeros([contexts, positions], 'int32') as Tensor2D, {
          from: { layer: model.config.layers, residual: cut(residual) },
          ...(normalised && { replace: { [finalHook]: () => cut(normalised) } }),
        });
        const rows = logits!.reshape<Tensor2D>([contexts * positions, -1]);
        addRows(name, 'crossEntropy', softmaxCrossEntropy(rows, next));
        inspect?.(name, rows);
        if (name === 'clean') return diverging.length > 0 ? tf.logSoftmax(rows) : undefined;
        if (logP && diverging.includes(name)) addRows(name, 'divergence', divergence(logP, rows));
        return undefined;
      });
      logP ??= stays;
    }
  });
}

/** Substitutes the vectors of x [batch, seq, …] at positions from the first captured one on; all axes after seq together are one vector. */
function replaceFrom<Name extends string>(
  x: Tensor,
  read: Tensor,
  { firstPosition: first, keepsOwn }: ContextLossOptions<Name>,
  substitute: (rows: Tensor2D, input: Tensor2D) => Tensor2D,
): Tensor {
  return tf.tidy(() => {
    const [batch, seq] = x.shape;
    const vectors = x.reshape([batch, seq, -1]);
    const width = vectors.shape[2] ?? 0;
    const rows = vectors.slice([0, first, 0]).reshape<Tensor2D>([-1, width]);
    const inputs = read === x ? rows : rowsFrom(read, first);
    const taken = substitute(rows, inputs);
    const other = keepsOwn ? keepingOwn(rows, taken, keepsOwn) : taken;
    const substituted = other.reshape([batch, seq - first, width]);
    return tf.concat([vectors.slice([0, 0, 0], [batch, first, width]), substituted], 1).reshape(x.shape);
  });
}

/** The vectors of x [batch, seq, …] from a position on, [batch · (seq − first), width]. */
function rowsFrom(x: Tensor, first: number): Tensor2D {
  const [batch, seq] = x.shape;
  const vectors = x.reshape([batch, seq, -1]);
  return vectors.slice([0, first, 0]).reshape<Tensor2D>([-1, vectors.shape[2] ?? 0]);
}

function keepingOwn(x: Tensor2D, other: Tensor2D, keepsOwn: Uint8Array): Tensor2D {
  const own = tf.tensor2d(Array.from(keepsOwn, Boolean), [keepsOwn.length, 1], 'bool');
  return tf.where(own, x, other) as Tensor2D;
}

/** KL(p ‖ q) of each row, from log p and the logits of q. */
function divergence(logP: Tensor2D, q: Tensor2D): Tensor1D {
  return tf.tidy(() => tf.sum(tf.exp(logP).mul(tf.sub(logP, tf.logSoftmax(q))), 1));
}
