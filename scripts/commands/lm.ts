/** `lazyscope lm`: small language models of one's own: train and generate. */
import { Command } from 'commander';
import { languageModelTrainingDefaults as defaults } from '../../sae/pretraining/languageModelTrainingDefaults.ts';
import { describeEnvironment } from '../commandLine/environment.ts';
import { text as textOption, textField } from '../../sae/spec/jobs/sharedOptions.ts';
import { loadModel } from '../commandLine/models.ts';
import { openGivenText } from '../commandLine/texts.ts';
import {
  fraction,
  nonNegativeNumber,
  oneOf,
  positiveInteger,
  positiveNumber,
  wholeNumber,
  withCommonOptions,
} from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import { slug } from './capture.ts';

export function lm(): Command {
  return new Command('lm')
    .description('train a small language model, or let one write')
    .addCommand(trainModel())
    .addCommand(generateText());
}

interface TrainOptions {
  text: string;
  textField?: string;
  name: string;
  resume?: boolean;
  family: 'gpt2' | 'llama';
  activation: string;
  vocabulary: number;
  d: number;
  layers: number;
  heads: number;
  neurons: number;
  contextLength: number;
  batchSize: number;
  steps: number;
  learningRate: number;
  finalRate: number;
  warmupSteps: number;
  weightDecay: number;
  validationFraction: number;
  validationSequences: number;
  validateEvery: number;
  seed: number;
  initialisation: 'gpt2' | 'lsuv';
  task: 'text' | 'random-labels' | 'random-inputs';
  l1Coefficient: number;
  l1Stages: number;
  l1Start: number;
  thresholdShift: number;
  emergence?: number;
  checkpointEvery?: number;
}

function trainModel(): Command {
  const command = new Command('train')
    .description('train a decoder from scratch on a text, with a byte-level vocabulary learnt from it')
    .requiredOption('--text <file|dataset>', textOption.field.doc)
    .option('--text-field <name>', textField.field.doc)
    .requiredOption('--name <name>', 'of the model, in the data folder')
    .option(
      '--family <name>',
      'gpt2 (plain MLP) or llama (gated MLP)',
      oneOf(['gpt2', 'llama']),
      'gpt2' as const,
    )
    .option(
      '--activation <name>',
      "the MLP's: relu, relu2, gelu, silu … (a wrong name lists them all), or reglu, geglu, swiglu, reglu2 for a gated one",
      'relu',
    )
    .option('--vocabulary <n>', 'tokens to learn', positiveInteger, defaults.vocabularySize)
    .option('--d <n>', 'width of the residual stream', positiveInteger, defaults.d)
    .option('--layers <n>', 'blocks', positiveInteger, defaults.layers)
    .option('--heads <n>', 'attention heads', positiveInteger, defaults.heads)
    .option('--neurons <n>', 'width of the MLP', positiveInteger, defaults.neurons)
    .option('--context-length <tokens>', 'tokens a context', positiveInteger, defaults.contextLength)
    .option('--batch-size <n>', 'contexts a step', positiveInteger, defaults.batchSize)
    .option('--steps <n>', 'optimiser steps', positiveInteger, defaults.steps)
    .option('--learning-rate <rate>', 'after warm-up', positiveNumber, defaults.learningRate)
    .option(
      '--final-rate <share>',
      'of the learning rate, at the end of the cosine',
      fraction,
      defaults.finalRate,
    )
    .option('--warmup-steps <n>', 'steps of linear warm-up', wholeNumber, defaults.warmupSteps)
    .option('--weight-decay <rate>', 'on matrices', nonNegativeNumber, defaults.weightDecay)
    .option(
      '--validation-fraction <share>',
      'of the text that is held out',
      fraction,
      defaults.validationFraction,
    )
    .option(
      '--validation-sequences <n>',
      'held-out contexts the validation loss is of',
      positiveInteger,
      defaults.validationSequences,
    )
    .option(
      '--validate-every <steps>',
      'steps between validation losses',
      positiveInteger,
      defaults.validateEvery,
    )
    .option('--seed <n>', 'of the initial weights and the order of the text', wholeNumber, defaults.seed)
    .option(
      '--initialisation <name>',
      'of the weights: gpt2 or lsuv',
      oneOf(['gpt2', 'lsuv']),
      defaults.initialisation,
    )
    .option(
      '--task <name>',
      'text, or random-labels or random-inputs in its place',
      oneOf(['text', 'random-labels', 'random-inputs']),
      defaults.task,
    )
    .option(
      '--l1-coefficient <λ>',
      "of ProSparse's progressive L1 on the MLPs' activations",
      nonNegativeNumber,
      defaults.l1Coefficient,
    )
    .option('--l1-stages <n>', 'stages in which λ rises', positiveInteger, defaults.l1Stages)
    .option('--l1-start <share>', 'of the steps before the first stage', fraction, defaults.l1Start)
    .option(
      '--threshold-shift <τ>',
      'makes a relu model FATReLU(τ) at the end',
      nonNegativeNumber,
      defaults.thresholdShift,
    )
    .option('--emergence <n>', 'measure sparsity n times while it trains, in training.json', positiveInteger)
    .option('--checkpoint-every <steps>', 'steps between checkpoints, besides one a minute', positiveInteger)
    .option('--resume', 'go on from the last checkpoint');
  return withCommonOptions(command).action((given: TrainOptions) =>
    runCommand(command, async (session) => {
      const { name, resume, vocabulary, checkpointEvery, emergence } = given;
      const { tokenizeCorpus } = await import('../../sae/tokens/tokenizeCorpus.ts');
      const { trainLanguageModel } = await import('../../sae/pretraining/trainLanguageModel.ts');
      const { languageModelTrainingSchema } = await import('../../sae/pretraining/languageModelTraining.ts');
      const { emergenceObserver } = await import('../../sae/sparsity/emergence/emergence.ts');
      const chosenMlp = await mlpOf(given);
      const folder = session.store.model(name);
      const text = await openGivenText(session.store, given);
      const corpus = await tokenizeCorpus({
        text,
        field: given.textField,
        folder: session.store.corpus(slug(`${text.source}-${vocabulary}`)),
        vocabularySize: vocabulary,
        report: session.report,
      });
      const environment = describeEnvironment(await session.startBackend());
      const fields = Object.keys(languageModelTrainingSchema.shape);
      const chosen = Object.fromEntries(Object.entries(given).filter(([field]) => fields.includes(field)));
      const trained = await trainLanguageModel({
        corpus,
        folder,
        config: { ...chosen, ...chosenMlp, vocabularySize: vocabulary },
        ...(emergence === undefined ? {} : { observer: emergenceObserver(given.steps, emergence) }),
        resume,
        ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
        report: session.report,
        signal: session.signal,
        environment: { ...environment },
      });
      return {
        document: { name, ...trained },
        text: `Trained '${name}' (${trained.parameters} parameters) for ${trained.steps} steps: validation loss ${trained.validationLoss?.toFixed(3) ?? 'not a number'} nats a token. It is in ${trained.folder}.`,
      };
    }),
  );
}

/** Family and activation function: a gated form's name stands for both. */
async function mlpOf({ family, activation }: TrainOptions) {
  const { gatedForms, parseActivationFunction } =
    await import('../../sae/models/activationFunctions/activationFunctions.ts');
  const gated = Object.entries(gatedForms).find(([form]) => form === activation);
  return gated
    ? ({ family: 'llama', activation: gated[1] } as const)
    : { family, activation: parseActivationFunction(activation) };
}

interface GenerateOptions {
  model: string;
  replaceActivation?: string;
  prompt: string;
  maxNewTokens: number;
  temperature: number;
  topK?: number;
  topP?: number;
  seed?: number;
}

function generateText(): Command {
  const command = new Command('generate')
    .description('continue a prompt')
    .requiredOption(
      '--model <name|folder>',
      'a model of the data folder or the package, or a Hugging Face folder',
    )
    .requiredOption('--prompt <text>', 'what the text begins with')
    .option('--replace-activation <name>', 'run it with another activation function, to see what breaks')
    .option('--max-new-tokens <n>', 'tokens to write', positiveInteger, 100)
    .option('--temperature <t>', '0 takes the likeliest token', nonNegativeNumber, 0)
    .option('--top-k <n>', 'draw from the n likeliest only', positiveInteger)
    .option('--top-p <share>', 'draw from the likeliest that make up this share', fraction)
    .option('--seed <n>', 'of the draws', wholeNumber);
  return withCommonOptions(command).action((given: GenerateOptions) =>
    runCommand(command, async (session) => {
      const { generate } = await import('../../sae/models/generate.ts');
      await session.startBackend();
      const model = await loadModel(session.store, given.model, given);
      const { model: _model, replaceActivation: _, prompt, ...options } = given;
      const started = performance.now();
      const { maxNewTokens: total } = given;
      let done = 0;
      const generation = await generate(model, prompt, {
        ...options,
        signal: session.signal,
        onToken: () => session.report({ stage: 'generate', done: ++done, total, unit: 'tokens' }),
      });
      const continuation = generation.text.startsWith(prompt)
        ? generation.text.slice(prompt.length)
        : generation.text;
      const document = {
        model: model.name,
        prompt,
        text: continuation,
        tokens: generation.tokens.length - generation.promptTokens,
        stopped: generation.stopped,
        seconds: (performance.now() - started) / 1000,
      };
      return { document, text: generation.text };
    }),
  );
}
