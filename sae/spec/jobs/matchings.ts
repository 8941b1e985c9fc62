import { matchingsDefaults, sharedThreshold } from '../comparisonDefaults.ts';
import { matchingsCost } from './cost.ts';
import type { JobDescription } from './job.ts';

/** `lazyscope matchings`: which way of pairing the features of two seeds finds those that do the same. */
export const matchings = {
  summary:
    'judge the ways to pair the features of two seeds by what the pairs do, and follow splits and merges',
  title: 'Matchings of a run, judged',
  shortTitle: 'Matchings',
  introduction:
    'Pairs the features of every two seeds in eight ways and puts each feature’s counterpart in its place. Seeds not compared yet are compared.',
  options: {
    run: {
      field: { type: 'name', doc: 'a run with several seeds' },
      argument: 'one',
      required: true,
      form: { label: 'Run', source: 'runs', hint: 'a finished one with several seeds' },
    },
    against: {
      field: {
        type: 'name',
        placeholder: 'run',
        doc: 'another run on the same activations, of any width, to whose dictionaries features are followed as well',
      },
      form: { label: 'Follow features to', source: 'runs', hint: 'another run on the same activations' },
    },
    maxTokens: {
      field: { type: 'integer', min: 1, doc: 'held-out tokens that activations are compared on' },
      default: matchingsDefaults.maxTokens,
      form: { label: 'Most tokens' },
    },
    sample: {
      field: {
        type: 'integer',
        min: 3,
        max: 100_000,
        placeholder: 'features',
        doc: 'features of each pair of seeds whose predictions are compared',
      },
      default: matchingsDefaults.sample,
      form: { label: 'Features whose predictions are compared', hint: 'of each pair of seeds' },
    },
    contexts: {
      field: {
        type: 'integer',
        min: 1,
        max: 1000,
        doc: 'contexts of each of them, among those where it fires',
      },
      default: matchingsDefaults.contexts,
      form: { label: 'Contexts of each', advanced: true },
    },
    predictions: {
      field: { type: 'flag', doc: 'judge by the reconstruction alone, without running the model' },
      default: true,
      form: { label: 'Also by the model’s predictions' },
    },
    epsilon: {
      field: {
        type: 'number',
        min: 0,
        above: true,
        placeholder: 'ε',
        doc: 'weight of the entropy in the transport, in units of 1 − cosine',
      },
      default: 0.03,
      form: { label: 'Entropy of the transport, ε', advanced: true },
    },
    rho: {
      field: {
        type: 'number',
        min: 0,
        above: true,
        placeholder: 'ρ',
        doc: 'price of a feature that sends or receives more or less than its share',
      },
      default: 0.5,
      form: { label: 'Price of the marginals, ρ', advanced: true },
    },
    threshold: {
      field: {
        type: 'number',
        min: 0,
        max: 1,
        placeholder: 'cosine',
        doc: 'a feature is not found again where nothing that a quarter of it goes to has this decoder cosine',
      },
      default: sharedThreshold,
      form: { label: 'Cosine threshold', advanced: true },
    },
  },
  cost: matchingsCost,
} as const satisfies JobDescription;
