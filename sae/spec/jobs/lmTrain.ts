import { languageModelTrainingDefaults as defaults } from '../languageModelTrainingDefaults.ts';
import { lmTrainCost } from './cost.ts';
import type { JobDescription } from './job.ts';
import { products, contextLength, text, textField } from './sharedOptions.ts';

const share = { type: 'number', min: 0, max: 1, placeholder: 'share' } as const;

/** `lazyscope lm train`: a small language model of one's own, from nothing but a text. */
export const lmTrain = {
  command: ['lm', 'train'],
  summary: 'train a decoder from scratch on a text, with a byte-level vocabulary learnt from it',
  title: 'Train a language model',
  shortTitle: 'Language model',
  introduction: 'Trains a small decoder from scratch, with the activation function you choose.',
  options: {
    text,
    textField,
    name: {
      field: { type: 'name', doc: 'of the model, in the data folder' },
      required: true,
      form: { label: 'Name' },
    },
    family: {
      field: {
        type: 'choice',
        choices: ['gpt2', 'llama'],
        titles: { gpt2: 'GPT-2, plain MLP', llama: 'Llama, gated MLP' },
        placeholder: 'name',
        doc: 'gpt2 (plain MLP) or llama (gated MLP)',
      },
      default: defaults.family,
      form: { label: 'Family' },
    },
    activation: {
      field: {
        type: 'text',
        maxLength: 40,
        placeholder: 'name',
        doc: "the MLP's: relu, relu2, gelu, silu … (a wrong name lists them all), or reglu, geglu, swiglu, reglu2 for a gated one",
      },
      default: defaults.activation,
      form: { label: 'Activation function', hint: 'relu, relu2, gelu, silu …; reglu, swiglu … are gated' },
    },
    vocabulary: {
      field: { type: 'integer', min: 1, doc: 'tokens to learn' },
      default: defaults.vocabularySize,
      form: { label: 'Vocabulary' },
    },
    d: {
      field: { type: 'integer', min: 1, doc: 'width of the residual stream' },
      default: defaults.d,
      form: { label: 'Width d' },
    },
    layers: {
      field: { type: 'integer', min: 1, doc: 'blocks' },
      default: defaults.layers,
      form: { label: 'Layers' },
    },
    heads: {
      field: { type: 'integer', min: 1, doc: 'attention heads' },
      default: defaults.heads,
      form: { label: 'Heads' },
    },
    neurons: {
      field: { type: 'integer', min: 1, doc: 'width of the MLP' },
      default: defaults.neurons,
      form: { label: 'Neurons' },
    },
    contextLength: {
      field: contextLength,
      default: defaults.contextLength,
      form: { label: 'Context length' },
    },
    batchSize: {
      field: { type: 'integer', min: 1, doc: 'contexts a step' },
      default: defaults.batchSize,
      form: { label: 'Contexts a step' },
    },
    steps: {
      field: { type: 'integer', min: 1, doc: 'optimiser steps' },
      default: defaults.steps,
      form: { label: 'Steps' },
    },
    learningRate: {
      field: { type: 'number', min: 0, above: true, placeholder: 'rate', doc: 'after warm-up' },
      default: defaults.learningRate,
      form: { label: 'Learning rate', advanced: true },
    },
    finalRate: {
      field: { ...share, doc: 'of the learning rate, at the end of the cosine' },
      default: defaults.finalRate,
    },
    warmupSteps: {
      field: { type: 'integer', min: 0, doc: 'steps of linear warm-up' },
      default: defaults.warmupSteps,
      form: { label: 'Steps of warm-up', advanced: true },
    },
    weightDecay: {
      field: { type: 'number', min: 0, placeholder: 'rate', doc: 'on matrices' },
      default: defaults.weightDecay,
      form: { label: 'Weight decay', advanced: true },
    },
    validationFraction: {
      field: { ...share, doc: 'of the text that is held out' },
      default: defaults.validationFraction,
    },
    validationSequences: {
      field: { type: 'integer', min: 1, doc: 'held-out contexts the validation loss is of' },
      default: defaults.validationSequences,
    },
    validateEvery: {
      field: { type: 'integer', min: 1, placeholder: 'steps', doc: 'steps between validation losses' },
      default: defaults.validateEvery,
    },
    seed: {
      field: { type: 'integer', min: 0, doc: 'of the initial weights and the order of the text' },
      default: defaults.seed,
      form: { label: 'Seed', advanced: true },
    },
    initialisation: {
      field: {
        type: 'choice',
        choices: ['gpt2', 'lsuv'],
        placeholder: 'name',
        doc: 'of the weights: gpt2 or lsuv',
      },
      default: defaults.initialisation,
    },
    task: {
      field: {
        type: 'choice',
        choices: ['text', 'random-labels', 'random-inputs'],
        placeholder: 'name',
        doc: 'text, or random-labels or random-inputs in its place',
      },
      default: defaults.task,
    },
    l1Coefficient: {
      field: {
        type: 'number',
        min: 0,
        placeholder: 'λ',
        doc: "of ProSparse's progressive L1 on the MLPs' activations",
      },
      default: defaults.l1Coefficient,
      form: { label: 'L1 on activations, λ', hint: 'ProSparse: it rises in stages', advanced: true },
    },
    l1Stages: {
      field: { type: 'integer', min: 1, doc: 'stages in which λ rises' },
      default: defaults.l1Stages,
    },
    l1Start: {
      field: { ...share, doc: 'of the steps before the first stage' },
      default: defaults.l1Start,
    },
    thresholdShift: {
      field: {
        type: 'number',
        min: 0,
        placeholder: 'τ',
        doc: 'makes a relu model FATReLU(τ) at the end',
      },
      default: defaults.thresholdShift,
    },
    emergence: {
      field: {
        type: 'integer',
        min: 1,
        doc: 'measure sparsity n times while it trains, in training.json',
      },
      otherwise: 'never',
      form: { label: 'Measure sparsity, times', hint: 'while it trains, for the page of emergence' },
    },
    checkpointEvery: {
      field: {
        type: 'integer',
        min: 1,
        placeholder: 'steps',
        doc: 'steps between checkpoints, besides one a minute',
      },
    },
    resume: {
      field: { type: 'flag', doc: 'go on from the last checkpoint' },
      form: { label: 'Go on from the last checkpoint', advanced: true },
    },
    products,
  },
  subject: { what: 'model', option: 'name' },
  cost: lmTrainCost,
  checkpoints: true,
  needs: { cores: 'all', memory: 0.5, gpu: true },
} as const satisfies JobDescription;
