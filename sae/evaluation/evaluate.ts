/** Scores one trained dictionary on the held-out part of its capture (METHODS.md §2). */
import { excludesNothing, printExclusionRule, type ExclusionRule } from '../activations/exclusionRule.ts';
import type { Capture } from '../activations/openCapture.ts';
import { selectRows, type SelectedRows } from '../activations/selectRows.ts';
import type { Autoencoder } from '../autoencoders/autoencoder.ts';
import { LazyscopeError } from '../errors.ts';
import { parseHookPoint, type HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import type { StoreLayout } from '../store/layout.ts';
import { isJoint, type JointHook } from '../spec/jointHook.ts';
import { evaluationKind, type Evaluation } from '../spec/manifests/evaluation.ts';
import { writeManifest } from '../store/writeManifest.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import type { JointLayer } from './contextLosses.ts';
import { decoderNorms, meanShares, shareHistograms } from './decoderShares.ts';
import { densityHistogram } from './densityHistogram.ts';
import { openDictionary } from './openDictionary.ts';
import { ReconstructionSums } from './reconstructionSums.ts';
import { spliceLoss, type SpliceOptions } from './spliceLoss.ts';

/** Which dictionary to evaluate, and on what. */
export interface EvaluateOptions {
  store: StoreLayout;
  run: string;
  seed: number;
  /** The model the capture was made with; null where it isn't known, and then losses are left out. */
  model: LanguageModel | null;
  /** Number of held-out tokens to reconstruct; all of them when absent. */
  maxTokens?: number;
  /** Tokens on which the model's losses are measured: clean, reconstructed, with zero and with mean ablation; default 8,192. */
  lossTokens?: number;
  /** Rows left out of the figures; by default those that training left out. */
  exclude?: ExclusionRule;
  report?: Report;
  /** Stops the evaluation: an earlier one of this dictionary stays as it is. */
  signal?: AbortSignal;
}

const rowsAtOnce = 4096;
const defaultLossTokens = 8192;

/** Writes runs/<run>/seed-<seed>/evaluation.json. Throws as `openDictionary` does, 'bad_input' when what is reconstructed isn't finite, and 'cancelled' when the signal is aborted. */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { store, run, seed, model } = options;
  const opened = await openDictionary(store, run, seed, model, options.exclude, 'as read');
  try {
    const scores = await score({ ...opened, ...options });
    const evaluation: Evaluation = { version: 1, run, seed, ...scores };
    await writeManifest(store.evaluation(run, seed), evaluationKind, evaluation);
    return evaluation;
  } finally {
    opened.dispose();
  }
}

export interface ScoreOptions {
  capture: Capture;
  /** The rows that the figures are about; all of the capture's when absent. */
  rows?: SelectedRows;
  hook: HookPoint | JointHook;
  /** What is predicted; by default `hook`. */
  output?: HookPoint | JointHook;
  autoencoder: Pick<Autoencoder, 'latents' | 'encode' | 'decode' | 'reconstruct'> &
    Partial<Pick<Autoencoder, 'layers' | 'wDec'>>;
  /** Null where it isn't known, and then losses are left out. */
  model: LanguageModel | null;
  maxTokens?: number;
  lossTokens?: number;
  report?: Report;
  signal?: AbortSignal;
}

/** The scores of anything that encodes and decodes, measured on the held-out part of a capture. */
export async function score(options: ScoreOptions): Promise<Omit<Evaluation, 'version' | 'run' | 'seed'>> {
  const { capture, hook, autoencoder, model, report = silent } = options;
  const { contextLength, firstPosition, contexts, heldOutContexts } = capture.manifest;
  if (model && !model.config.encoder && contextLength - 1 - firstPosition < 1)
    throw new LazyscopeError(
      'bad_input',
      `Capture '${capture.manifest.name}' keeps no position with a next token: capture longer contexts.`,
    );
  for (const [name, tokens] of Object.entries({
    maxTokens: options.maxTokens,
    lossTokens: options.lossTokens,
  }))
    if (tokens !== undefined && !(tokens >= 1))
      throw new LazyscopeError('bad_input', `${name} is ${tokens}: evaluate on at least one token.`);
  const rows = options.rows ?? selectRows(capture, [hook], excludesNothing);
  const { sums, everything, layerSums, medianFvu } = await reconstructionOf(options, rows);

  const scores = {
    ...sums.metrics(),
    medianFvu: finite(medianFvu),
    ...(rows.excluded.length > 0 && {
      exclusion: {
        rule: printExclusionRule(rows.rule),
        rows: everything.tokens - sums.tokens,
        fvuWithThem: everything.metrics().fvu,
      },
    }),
    densityHistogram: densityHistogram(sums.firings, sums.tokens),
  };
  const layers = autoencoder.layers?.map((layer, at) => ({
    hook: parseHookPoint(layer.hook).name,
    width: layer.width,
    scale: layer.scale,
    fvu: layerSums[at].metrics().fvu,
  }));
  const norms = layers && autoencoder.wDec ? decoderNorms(autoencoder.wDec, layers) : [];
  const [shares, histograms] = [meanShares(norms), shareHistograms(norms)];
  const byLayer = (recovered: readonly (number | null)[]) =>
    layers && {
      layers: layers.map(({ hook: own, fvu }, at) => ({
        hook: own,
        fvu,
        decoderShare: shares[at],
        latentsByShare: histograms[at],
        ceRecovered: recovered[at] ?? null,
      })),
    };
  const isPastBlocks = layers?.some((layer) => layer.hook === 'ln_final.hook_normalized');
  if (!model || model.config.encoder || isPastBlocks)
    return {
      ...scores,
      ...byLayer([]),
      crossEntropy: null,
      ceRecovered: null,
      ceRecoveredMean: null,
      klDivergence: null,
    };
  const wanted = Math.ceil((options.lossTokens ?? defaultLossTokens) / contextLength);
  const sample = Math.min(heldOutContexts, Math.max(1, wanted));
  const first = contexts - heldOutContexts;
  const splice = {
    model,
    tokens: capture.tokens.subarray(first * contextLength, (first + sample) * contextLength),
    contextLength,
    firstPosition,
    keepsOwn:
      rows.excluded.length === 0 ? null : rows.excludedHeldOut.subarray(0, sample * capture.rowsPerContext),
    reconstruct: (_: Tensor2D, input: Tensor2D) => autoencoder.reconstruct(input),
    mean: sums.mean(),
    signal: options.signal,
    progress: (done: number) =>
      report({
        stage: 'evaluate loss',
        done: done * contextLength,
        total: sample * contextLength,
        unit: 'tokens',
      }),
  } satisfies Partial<SpliceOptions>;
  const tokens = { lossTokens: sample * (contextLength - 1 - firstPosition) };
  if (layers) {
    const replacing = (replaced: readonly JointLayer[]) =>
      spliceLoss({ ...splice, hook: replaced[0].hook, joint: { layers, replaced } });
    const whole = await replacing(layers);
    const recovered: (number | null)[] = [];
    for (const layer of layers) recovered.push((await replacing([layer])).ceRecovered);
    return { ...scores, ...byLayer(recovered), ...whole, ...tokens };
  }
  const [read, output] = [single(hook), single(options.output ?? hook)];
  const loss = await spliceLoss({ ...splice, hook: output, ...(output !== read && { input: read }) });
  return { ...scores, ...loss, ...tokens };
}

/** Throws a programming error for a joint hook point, which comes with the layers of a crosscoder. */
function single(hook: HookPoint | JointHook): HookPoint {
  if (isJoint(hook)) throw new TypeError(`The dictionary at '${hook}' doesn't say how large its layers are.`);
  return hook;
}

const finite = (value: number) => (Number.isFinite(value) ? value : null);

/**
 * A pass over the held-out rows that are kept, one over those left out among the same contexts, and one for what needs
 * the mean. `everything` is of both kinds of rows.
 */
async function reconstructionOf(
  { capture, hook, output = hook, autoencoder, maxTokens, report = silent, signal }: ScoreOptions,
  rows: SelectedRows,
) {
  const d = capture.width(hook);
  const outputs = capture.width(output);
  const total = Math.min(rows.heldOutRows, maxTokens ?? Infinity);
  const sums = new ReconstructionSums(outputs, autoencoder.latents);
  const layers = autoencoder.layers ?? [];
  const layerSums = layers.map(({ width }) => new ReconstructionSums(width, 0));
  const everything = rows.excluded.length === 0 ? sums : new ReconstructionSums(outputs, autoencoder.latents);
  const errors = new Float64Array(total);
  for (let done = 0; done < total; done += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, total - done);
    for (const read of new Set([hook, output])) await makeReady(rows, read, done, count, total);
    const x = rows.readRows(hook, rows.trainRows + done, count);
    const y = output === hook ? x : rows.readRows(output, rows.trainRows + done, count);
    tf.tidy(() => {
      const input = tf.tensor2d(x, [count, d]);
      const code = autoencoder.encode(input);
      const yHat = autoencoder.decode(code, input).dataSync<'float32'>();
      sums.add(y, yHat, code);
      let column = 0;
      for (const [at, { width }] of layers.entries()) {
        const own = (values: Float32Array) => columns(values, outputs, column, width);
        layerSums[at].add(own(y), own(yHat), code);
        column += width;
      }
      if (everything !== sums) everything.add(y, yHat, code);
      for (let row = 0; row < count; row++)
        errors[done + row] = squaredDistance(y, yHat, row * outputs, row * outputs, outputs);
    });
    report({ stage: 'evaluate', done: done + count, total, unit: 'tokens' });
    await pause(signal, 'reconstructing');
  }
  if (everything !== sums && total > 0) {
    const { context } = rows.rowToken(rows.trainRows + total - 1);
    const end = (context + 1) * capture.rowsPerContext;
    const left = rows.excluded.filter((row) => row >= capture.trainRows && row < end);
    for (let done = 0; done < left.length; done += rowsAtOnce) {
      const some = left.subarray(done, done + rowsAtOnce);
      const x = new Float32Array(some.length * d);
      await gather(capture, hook, some, x);
      const y = output === hook ? x : new Float32Array(some.length * outputs);
      if (y !== x) await gather(capture, output, some, y);
      tf.tidy(() => {
        const input = tf.tensor2d(x, [some.length, d]);
        const code = autoencoder.encode(input);
        everything.add(y, autoencoder.decode(code, input).dataSync<'float32'>(), code);
      });
      await pause(signal, 'reconstructing');
    }
  }
  return { sums, everything, layerSums, medianFvu: await medianRatio(rows, output, errors, sums.mean()) };
}

/** Held-out rows that are read now, of the `total` that are read one after another. */
async function makeReady(
  { streaming, trainRows }: SelectedRows,
  hook: string,
  from: number,
  count: number,
  total: number,
): Promise<void> {
  const start = trainRows + from;
  await streaming?.ready(hook, start, count, [start + count, trainRows + total]);
}

async function gather(capture: Capture, hook: string, rows: Uint32Array, out: Float32Array): Promise<void> {
  if (capture.streaming) await capture.streaming.collect(hook, rows, out);
  else capture.gatherRows(hook, rows, out);
}

/** Columns `from` … `from + width − 1` of rows [rows, d]. */
function columns(values: Float32Array, d: number, from: number, width: number): Float32Array {
  const rows = values.length / d;
  const out = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++)
    out.set(values.subarray(row * d + from, row * d + from + width), row * width);
  return out;
}

/** The median over tokens of ‖x − x̂‖² / ‖x − x̄‖², the lower of the two middle ones. */
async function medianRatio(
  rows: SelectedRows,
  hook: string,
  errors: Float64Array,
  mean: Float32Array,
): Promise<number> {
  const d = mean.length;
  const ratios = new Float64Array(errors.length);
  for (let done = 0; done < errors.length; done += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, errors.length - done);
    await makeReady(rows, hook, done, count, errors.length);
    const x = rows.readRows(hook, rows.trainRows + done, count);
    for (let row = 0; row < count; row++)
      ratios[done + row] = errors[done + row] / squaredDistance(x, mean, row * d, 0, d);
  }
  return ratios.sort()[(errors.length - 1) >> 1] ?? NaN;
}

/** ‖x − y‖² of the `d` numbers of x from `fromX` on and those of y from `fromY` on. */
function squaredDistance(x: Float32Array, y: Float32Array, fromX: number, fromY: number, d: number): number {
  let sum = 0;
  for (let j = 0; j < d; j++) sum += (x[fromX + j] - y[fromY + j]) ** 2;
  return sum;
}
