/** Scores one trained dictionary on the held-out part of its capture (METHODS.md §2). */
import type { Capture } from '../activations/openCapture.ts';
import type { Autoencoder } from '../autoencoders/autoencoder.ts';
import { LazyscopeError } from '../errors.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { silent, type Report } from '../progress.ts';
import type { StoreLayout } from '../store/layout.ts';
import { evaluationKind, type Evaluation } from '../spec/manifests/evaluation.ts';
import { writeManifest } from '../store/writeManifest.ts';
import { tf } from '../tensor/tf.ts';
import { densityHistogram } from './densityHistogram.ts';
import { openDictionary } from './openDictionary.ts';
import { ReconstructionSums } from './reconstructionSums.ts';
import { spliceLoss } from './spliceLoss.ts';

export interface EvaluateOptions {
  store: StoreLayout;
  run: string;
  seed: number;
  /** The model the capture was made with. */
  model: LanguageModel;
  /** Number of held-out tokens to reconstruct; all of them when absent. */
  maxTokens?: number;
  /** Tokens on which the model's losses are measured, by four forward passes (clean, reconstructed, zero and mean ablation); default 8,192. */
  lossTokens?: number;
  report?: Report;
}

const rowsAtOnce = 4096;
const defaultLossTokens = 8192;

/** Writes runs/<run>/seed-<seed>/evaluation.json. Throws as `openDictionary` does, and 'bad_input' when what is reconstructed isn't finite. */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { store, run, seed, model } = options;
  const opened = await openDictionary(store, run, seed, model);
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
  hook: HookPoint;
  autoencoder: Pick<Autoencoder, 'latents' | 'encode' | 'decode' | 'reconstruct'>;
  model: LanguageModel;
  maxTokens?: number;
  lossTokens?: number;
  report?: Report;
}

/** The scores of anything that encodes and decodes, measured on the held-out part of a capture. */
export async function score(options: ScoreOptions): Promise<Omit<Evaluation, 'version' | 'run' | 'seed'>> {
  const { capture, hook, autoencoder, model, report = silent } = options;
  const { contextLength, firstPosition, contexts, heldOutContexts } = capture.manifest;
  if (contextLength - 1 - firstPosition < 1)
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
  const sums = reconstructionOf(options);

  const wanted = Math.ceil((options.lossTokens ?? defaultLossTokens) / contextLength);
  const sample = Math.min(heldOutContexts, Math.max(1, wanted));
  const first = contexts - heldOutContexts;
  const loss = await spliceLoss({
    model,
    hook,
    tokens: capture.tokens.subarray(first * contextLength, (first + sample) * contextLength),
    contextLength,
    firstPosition,
    reconstruct: (x) => autoencoder.reconstruct(x),
    mean: sums.mean(),
    progress: (done) =>
      report({
        stage: 'evaluate loss',
        done: done * contextLength,
        total: sample * contextLength,
        unit: 'tokens',
      }),
  });
  return {
    ...sums.metrics(),
    ...loss,
    densityHistogram: densityHistogram(sums.firings, sums.tokens),
  };
}

/** Encodes and decodes the held-out rows once, and sums up what the reconstruction's scores are made of. */
function reconstructionOf({ capture, hook, autoencoder, maxTokens, report = silent }: ScoreOptions) {
  const d = capture.width(hook);
  const total = Math.min(capture.heldOutRows, maxTokens ?? Infinity);
  const sums = new ReconstructionSums(d, autoencoder.latents);
  for (let done = 0; done < total; done += rowsAtOnce) {
    const rows = Math.min(rowsAtOnce, total - done);
    const x = capture.readRows(hook, capture.trainRows + done, rows);
    tf.tidy(() => {
      const input = tf.tensor2d(x, [rows, d]);
      const code = autoencoder.encode(input);
      sums.add(x, autoencoder.decode(code).dataSync<'float32'>(), code);
    });
    report({ stage: 'evaluate', done: done + rows, total, unit: 'tokens' });
  }
  return sums;
}
