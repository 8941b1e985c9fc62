/**
 * How fast a language model of a given shape trains, through the product's own trainer, on random tokens: nothing in
 * a step's time depends on which they are. What the trainer writes goes to a temporary folder and is removed.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LazyscopeError } from '../../sae/errors.ts';
import type { LanguageModelTraining } from '../../sae/pretraining/languageModelTraining.ts';
import { trainLanguageModel } from '../../sae/pretraining/trainLanguageModel.ts';
import { type Report, silent } from '../../sae/progress.ts';
import { Random } from '../../sae/numerics/random.ts';

export type ShapeToTrain = Pick<
  LanguageModelTraining,
  | 'family'
  | 'activation'
  | 'd'
  | 'layers'
  | 'heads'
  | 'keyValueHeads'
  | 'neurons'
  | 'vocabularySize'
  | 'contextLength'
  | 'batchSize'
>;

export interface LanguageModelTrainingBenchmark {
  /** Median of the timed steps. */
  stepMs: number;
  tokensPerSecond: number;
  parameters: number;
  /** Loss of the first step in nats a token, which is ln(vocabularySize) for weights as small as the initial ones. */
  firstLoss: number;
}

const warmingUp = 2;

/** Throws `unavailable` when the loss of the untrained model is not what it must be. */
export async function benchLanguageModelTraining(
  shape: ShapeToTrain,
  repeats: number,
  report: Report = silent,
): Promise<LanguageModelTrainingBenchmark> {
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-bench-'));
  try {
    // The last step is followed by the validation loss before it is reported: it is not timed.
    const steps = warmingUp + repeats + 1;
    const times: number[] = [];
    let firstLoss = NaN;
    let before = performance.now();
    const { parameters } = await trainLanguageModel({
      corpus: await randomCorpus(folder, shape),
      folder: join(folder, 'model'),
      config: {
        ...shape, steps, warmupSteps: 1, learningRate: 1e-5, logEvery: 1,
        validateEvery: steps, validationSequences: 1, validationFraction: 0.5,
      }, // prettier-ignore
      environment: {},
      report: (progress) => {
        const now = performance.now();
        if (progress.done > warmingUp && progress.done < steps) times.push(now - before);
        if (progress.done === 1) firstLoss = progress.values?.loss ?? NaN;
        report({ ...progress, stage: 'bench lm-train' });
        before = performance.now();
      },
    });
    const expected = Math.log(shape.vocabularySize);
    if (!(Math.abs(firstLoss - expected) < 0.1 * expected))
      throw new LazyscopeError(
        'unavailable',
        `The untrained model's loss is ${firstLoss} nats a token instead of about ${expected.toFixed(2)}: the backend computes wrong passes.`,
      );
    times.sort((a, b) => a - b);
    const stepMs = (times[(times.length - 1) >> 1] + times[times.length >> 1]) / 2;
    const tokens = shape.batchSize * shape.contextLength;
    return { stepMs, tokensPerSecond: (1000 * tokens) / stepMs, parameters, firstLoss };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A corpus of tokens drawn uniformly from the vocabulary. Its tokenizer is never read, only copied. */
async function randomCorpus(folder: string, { vocabularySize, batchSize, contextLength }: ShapeToTrain) {
  const random = Random.fromSeed(0, 'bench lm-train');
  const length = Math.max(100_000, 16 * batchSize * contextLength);
  const tokens = Uint16Array.from({ length }, () => random.below(vocabularySize));
  await writeFile(join(folder, 'tokenizer.json'), '{}');
  return {
    folder,
    tokens,
    manifest: {
      version: 1 as const,
      source: 'random',
      sha256: '0'.repeat(64),
      bytes: tokens.byteLength,
      documents: 1,
      tokens: length,
      vocabularySize,
    },
  };
}
