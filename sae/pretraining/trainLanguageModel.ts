/**
 * Trains a small decoder from scratch by AdamW, with decoupled weight decay on matrices, clipped gradients, linear
 * warm-up and a cosine schedule, and writes a Hugging Face folder. The forward pass is that of decoder.ts, differentiated by
 * TF.js, so that the trained model and the loaded model are the same code.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { LazyscopeError } from '../errors.ts';
import { adamWStep, createAdamWState, disposeAdamWState, globalNorm } from '../ops/adamW.ts';
import { softmaxCrossEntropy } from '../ops/softmaxCrossEntropy.ts';
import { pause } from '../pause.ts';
import { silent } from '../progress.ts';
import type { Report } from '../progress.ts';
import { withLock } from '../store/lock.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor, Tensor1D, Variable } from '../tensor/tf.ts';
import { Random } from '../numerics/random.ts';
import { ActivationPenalty } from './activationPenalty.ts';
import { CorpusBatches, holdOut, sequencesAt, taskStreams } from './corpusBatches.ts';
import type { SequenceBatch, TokenStreams } from './corpusBatches.ts';
import { runDecoder } from '../models/decoder.ts';
import { DecoderModel } from '../models/decoderModel.ts';
import type { Weights } from '../models/families/storedModules.ts';
import { familyOf } from '../models/families/families.ts';
import { HookTap } from '../models/hookTap.ts';
import { initialWeights } from './initialWeights.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import {
  l1CoefficientAt,
  learningRateAt,
  modelConfigOf,
  parseLanguageModelTraining,
} from './languageModelTraining.ts';
import { trainingRecordKind } from '../spec/manifests/trainingRecord.ts';
import { readManifest } from '../store/readManifest.ts';
import { removeStored } from '../store/remote/bringIn.ts';
import { finiteOrNull } from '../numerics/finiteOrNull.ts';
import type { LossPoint } from '../spec/manifests/trainingRecord.ts';
import type { LanguageModelTraining } from './languageModelTraining.ts';
import { initialiseLsuv } from './lsuv.ts';
import type { ModelConfig } from '../models/modelConfig.ts';
import { loadTokenizer } from '../tokens/tokenizer.ts';
import type { Corpus } from '../tokens/tokenizeCorpus.ts';
import { readCheckpoint, writeCheckpoint } from './trainingCheckpoint.ts';
import type { TrainingState } from './trainingCheckpoint.ts';
import { writeLanguageModel } from '../models/writeLanguageModel.ts';

export interface TrainLanguageModelOptions {
  /** The training text, from tokenizeCorpus; its vocabulary size becomes the model's. */
  corpus: Corpus;
  /** Folder to write the model to. It must not contain a finished model. */
  folder: string;
  config: Partial<LanguageModelTraining>;
  /** Continue from the folder's checkpoint if there is one; without this option, an existing checkpoint is a 'conflict'. */
  resume?: boolean;
  /** A checkpoint is written after this many steps (0: only when cancelled) or seconds, whichever comes first. */
  checkpointEvery?: number;
  checkpointSeconds?: number;
  /** Measures the model during training, before the first step (0) and after each of these steps. */
  observer?: TrainingObserver;
  report?: Report;
  /** When it fires, a checkpoint is written and LazyscopeError 'cancelled' is thrown. */
  signal?: AbortSignal;
  /** Recorded in training.json: backend, threads, machine. */
  environment: Readonly<Record<string, string | number>>;
}

export interface TrainingObserver {
  readonly steps: readonly number[];
  /** Measures the model; what it returns is stored in training.json. `contexts` are held out, [sequences × contextLength]. It must not dispose the model. */
  observe(model: LanguageModel, contexts: Int32Array): Promise<Record<string, unknown>>;
}

export interface TrainedLanguageModel {
  folder: string;
  parameters: number;
  steps: number;
  loss: number;
  /** Null where it is not finite. */
  validationLoss: number | null;
  seconds: number;
  tokensPerSecond: number;
}

/**
 * Trains a small decoder on a text or a task and writes it as a Hugging Face folder. A training of the same
 * options that was interrupted goes on from its checkpoint. Throws `bad_input` for options that don't fit one another, `conflict` when the
 * folder already holds a model or another process trains into it, `cancelled` when the signal is aborted.
 */
export async function trainLanguageModel(options: TrainLanguageModelOptions): Promise<TrainedLanguageModel> {
  const config = parseLanguageModelTraining({
    ...options.config,
    vocabularySize: options.corpus.manifest.vocabularySize,
  });
  if (existsSync(join(options.folder, 'model.safetensors'))) return finishedBefore(options, config);
  return withLock(options.folder, 'language-model training', async () => {
    const training = new Training(options, config);
    try {
      return await training.run();
    } finally {
      training.dispose();
    }
  });
}

/**
 * What a training that is to go on finds when it was finished: it may have been killed between the weights and its end. Throws
 * `conflict` for a model of other options, and where the training was not to go on.
 */
async function finishedBefore(
  { folder, corpus, resume }: TrainLanguageModelOptions,
  config: LanguageModelTraining,
): Promise<TrainedLanguageModel> {
  const path = join(folder, 'training.json');
  const record = resume && existsSync(path) ? await readManifest(path, trainingRecordKind) : undefined;
  if (
    record?.corpus.sha256 !== corpus.manifest.sha256 ||
    !isDeepStrictEqual(record.config, JSON.parse(JSON.stringify(config)))
  )
    throw new LazyscopeError('conflict', `'${folder}' already holds a model: choose another name.`);
  await removeStored(join(folder, checkpointName));
  const { parameters, steps, loss, validationLoss, seconds, tokensPerSecond } = record;
  return { folder, parameters, steps, loss, validationLoss, seconds, tokensPerSecond };
}

const checkpointName = 'checkpoint.safetensors';

class Training {
  #options: TrainLanguageModelOptions;
  #config: LanguageModelTraining;
  #model: ModelConfig;
  #names: string[];
  #parameters: Variable[];
  #weights: Map<string, Tensor>;
  #moments: ReturnType<typeof createAdamWState>;
  #extra: Tensor[] = [];
  #decay: number[];
  #batches: CorpusBatches;
  #heldOut: TokenStreams;
  #checkpoint: string;
  #state: TrainingState;

  constructor(options: TrainLanguageModelOptions, config: LanguageModelTraining) {
    this.#options = options;
    this.#config = config;
    this.#model = modelConfigOf(config);
    this.#checkpoint = join(options.folder, checkpointName);
    const { training, heldOut } = holdOut(options.corpus.tokens, config.validationFraction);
    this.#batches = new CorpusBatches(taskStreams(training, config.task, config), config);
    this.#heldOut = taskStreams(heldOut, config.task, config);
    if (heldOut.length < config.contextLength)
      throw new LazyscopeError(
        'bad_input',
        `The text is too short: ${heldOut.length} tokens are held out, fewer than a context of ${config.contextLength}.`,
      );
    const { shapes } = familyOf(this.#model);
    const initial = initialWeights(shapes, config.layers, config.seed, config.activation);
    this.#names = [...shapes.keys()];
    this.#parameters = this.#names.map((name) =>
      tf.tidy(() => tf.variable(tf.tensor(initial.get(name)!, [...shapes.get(name)!]), true)),
    );
    this.#weights = new Map(this.#names.map((name, i) => [name, this.#parameters[i]]));
    if (config.initialisation === 'lsuv') this.#initialiseLsuv();
    this.#moments = createAdamWState(this.#parameters);
    this.#decay = this.#parameters.map(({ shape }) => (shape.length > 1 ? config.weightDecay : 0));
    const { sha256 } = options.corpus.manifest;
    this.#state = { config, corpusSha256: sha256, step: 0, seconds: 0, curve: [], observations: [] };
  }

  async run(): Promise<TrainedLanguageModel> {
    const { report = silent, signal, checkpointEvery = 0, checkpointSeconds = 60 } = this.#options;
    const { steps, batchSize, contextLength, logEvery, validateEvery } = this.#config;
    const state = this.#state;
    await this.#resume();
    const tokensPerStep = batchSize * contextLength;
    const before = { step: state.step, seconds: state.seconds };
    const started = performance.now();
    let saved = started;
    let { sum, steps: summed } = state.sinceLastPoint ?? { sum: 0, steps: 0 };
    await pause(signal, 'beginning to train');
    await this.#observe();
    while (state.step < steps) {
      const step = state.step + 1;
      const rate = learningRateAt(this.#config, step);
      const { loss, norm } = this.#step(step, rate);
      if (!Number.isFinite(loss))
        throw new LazyscopeError(
          'bad_input',
          `The loss is ${loss} at step ${step}: lower the learning rate (${this.#config.learningRate}).`,
        );
      state.step = step;
      state.seconds = before.seconds + (performance.now() - started) / 1000;
      sum += loss;
      summed++;
      if (step % logEvery === 0 || step === steps) {
        const validated = step % validateEvery === 0 || step === steps;
        // In the order in which a checkpoint gives them back, so that the record of a resumed training is the same to the byte.
        const point: LossPoint = {
          step,
          tokens: step * tokensPerStep,
          loss: sum / summed,
          ...(validated ? { validationLoss: finiteOrNull(this.#validationLoss()) } : {}),
          learningRate: rate,
          gradientNorm: finiteOrNull(norm),
        };
        state.curve.push(point);
        sum = 0;
        summed = 0;
      }
      await this.#observe();
      const latest = state.curve.at(-1);
      const values: Record<string, number> = { loss: latest?.loss ?? loss, learningRate: rate };
      values.tokensPerSecond = ((step - before.step) * tokensPerStep) / (state.seconds - before.seconds);
      const validated = state.curve.findLast((point) => point.validationLoss !== undefined);
      if (typeof validated?.validationLoss === 'number') values.validationLoss = validated.validationLoss;
      report({ stage: 'train language model', done: step, total: steps, unit: 'steps', values });

      const stopped = signal?.aborted === true;
      const due =
        (checkpointEvery > 0 && step % checkpointEvery === 0) ||
        performance.now() - saved > checkpointSeconds * 1000;
      // Those that can wait are written at points of the loss curve, where there is no sum to keep.
      if (step < steps && (stopped || (due && summed === 0))) {
        state.sinceLastPoint = summed > 0 ? { sum, steps: summed } : undefined;
        await this.#save();
        saved = performance.now();
        if (stopped)
          throw new LazyscopeError(
            'cancelled',
            `Stopped at step ${step} of ${steps}; --resume goes on from there.`,
          );
      }
      await new Promise(setImmediate);
    }
    return await this.#finish(tokensPerStep);
  }

  /** The loss of each predicted token, [batch × seq], in nats. */
  #losses({ inputs, labels }: SequenceBatch, training: { tap?: HookTap; draws?: Random } = {}): Tensor1D {
    const seq = this.#config.contextLength;
    return tf.tidy(() => {
      const tokens = tf.tensor2d(inputs, [inputs.length / seq, seq], 'int32');
      const { tap = new HookTap(), draws } = training;
      const pass = { config: this.#model, weights: this.#weights, tap, ...(draws ? { draws } : {}) };
      const logits = runDecoder(pass, tokens)!;
      return softmaxCrossEntropy(logits, tf.tensor1d(labels, 'int32'));
    });
  }

  #step(step: number, learningRate: number): { loss: number; norm: number } {
    const batch = this.#batches.at(step);
    const l1 = new ActivationPenalty(this.#model.layers, l1CoefficientAt(this.#config, step));
    const draws = Random.fromSeed(this.#config.seed, `activation draws ${step}`);
    let crossEntropy: Tensor | undefined;
    const { value, grads } = tf.variableGrads(() => {
      const mean = tf.mean(this.#losses(batch, { tap: l1.tap(), draws }));
      crossEntropy = tf.keep(mean.clone());
      return l1.addTo(mean).asScalar();
    }, this.#parameters);
    const gradients = this.#parameters.map(({ name }) => grads[name]);
    const norm = globalNorm(gradients);
    const { clipNorm, beta1, beta2, epsilon } = this.#config;
    adamWStep(this.#parameters, gradients, this.#moments, {
      learningRate,
      beta1,
      beta2,
      epsilon,
      weightDecay: this.#decay,
      step,
      gradientScale: clipNorm === null || norm <= clipNorm ? 1 : clipNorm / norm,
    });
    const [loss] = crossEntropy!.dataSync();
    l1.dispose();
    tf.dispose([value, crossEntropy!, ...gradients]);
    return { loss, norm };
  }

  #initialiseLsuv(): void {
    const { contextLength, seed } = this.#config;
    const { inputs } = this.#batches.at(1);
    const tokens = tf.tensor2d(inputs, [inputs.length / contextLength, contextLength], 'int32');
    const weights = new Map(this.#names.map((name, i) => [name, this.#parameters[i]]));
    initialiseLsuv(this.#model, weights, tokens, seed);
    tokens.dispose();
  }

  /** Calls the observer if this step is one of its own and was not observed before the interruption. */
  async #observe(): Promise<void> {
    const { observer, corpus, folder } = this.#options;
    const { step, observations } = this.#state;
    if (!observer || (step > 0 && !observer.steps.includes(step)) || observations.at(-1)?.step === step)
      return;
    const { contextLength, batchSize } = this.#config;
    const identity = { name: basename(folder), folder };
    const model = new DecoderModel(identity, this.#model, this.#weights, loadTokenizer(corpus.folder));
    const { inputs } = this.#heldOutBatch(0, this.#validationSequences());
    const seen = await observer.observe(model, inputs);
    observations.push({ ...seen, step, tokens: step * batchSize * contextLength });
  }

  #validationSequences(): number {
    const { contextLength, validationSequences } = this.#config;
    return Math.min(validationSequences, Math.floor(this.#heldOut.inputs.length / contextLength));
  }

  #heldOutBatch(first: number, rows: number): SequenceBatch {
    const { contextLength } = this.#config;
    const starts = Array.from({ length: rows }, (_, row) => (first + row) * contextLength);
    return sequencesAt(this.#heldOut, starts, contextLength);
  }

  /** Mean loss over the first `validationSequences` held-out sequences, in nats per token. */
  #validationLoss(): number {
    const { contextLength, batchSize } = this.#config;
    const sequences = this.#validationSequences();
    let sum = 0;
    for (let first = 0; first < sequences; first += batchSize) {
      const batch = this.#heldOutBatch(first, Math.min(batchSize, sequences - first));
      sum += tf.tidy(() => tf.sum(this.#losses(batch)).dataSync()[0]);
    }
    return sum / (sequences * contextLength);
  }

  async #resume(): Promise<void> {
    if (!existsSync(this.#checkpoint)) return;
    if (!this.#options.resume)
      throw new LazyscopeError(
        'conflict',
        `'${this.#options.folder}' holds an unfinished training: resume it, or choose another name.`,
      );
    const targets = { parameters: this.#parameters, m: this.#moments.m, v: this.#moments.v };
    const state = await readCheckpoint(this.#checkpoint, this.#state, this.#names, (role, i, values) =>
      tf.tidy(() => targets[role][i].assign(tf.tensor(values, targets[role][i].shape))),
    );
    if (state) Object.assign(this.#state, state);
  }

  async #save(): Promise<void> {
    const tensors = { names: this.#names, parameters: this.#parameters, ...this.#moments };
    await writeCheckpoint(this.#checkpoint, this.#state, tensors);
  }

  async #finish(tokensPerStep: number): Promise<TrainedLanguageModel> {
    const { folder, corpus, environment } = this.#options;
    const { dtype, steps } = this.#config;
    const { curve, seconds, observations } = this.#state;
    const last = curve.at(-1)!;
    const figures = {
      parameters: this.#parameters.reduce((sum, parameter) => sum + parameter.size, 0),
      steps,
      loss: last.loss,
      validationLoss: last.validationLoss ?? null,
      seconds,
      tokensPerSecond: (steps * tokensPerStep) / seconds,
    };
    await writeLanguageModel(folder, {
      ...this.#shifted(),
      dtype,
      tokenizer: join(corpus.folder, 'tokenizer.json'),
      record: {
        version: 1,
        ...figures,
        corpus: corpus.manifest,
        config: this.#config,
        environment,
        curve,
        ...(observations.length > 0 ? { observations } : {}),
      },
    });
    await removeStored(this.#checkpoint);
    return { folder, ...figures };
  }

  /** The model as it is written: with FATReLU in place of the ReLU it was trained with, if `thresholdShift` is above 0. */
  #shifted(): { config: ModelConfig; weights: Weights } {
    const { thresholdShift } = this.#config;
    if (thresholdShift === 0) return { config: this.#model, weights: this.#weights };
    const config: ModelConfig = { ...this.#model, activation: 'fatrelu' };
    const weights = new Map(this.#weights);
    for (const name of familyOf(config).shapes.keys())
      if (!weights.has(name)) weights.set(name, this.#threshold(thresholdShift));
    return { config, weights };
  }

  #threshold(value: number): Tensor {
    const threshold = tf.tensor1d([value]);
    this.#extra.push(threshold);
    return threshold;
  }

  dispose(): void {
    tf.dispose([...this.#parameters, ...this.#extra]);
    disposeAdamWState(this.#moments);
  }
}
