import { sparsityCost } from './cost.ts';
import type { JobDescription } from './job.ts';
import { contextLength, model, nameOf, text, textField } from './sharedOptions.ts';

/** The form's tick box is on until somebody turns it off. */
const withInterventions = { option: 'interventions', values: ['', 'on'] } as const;

/** `lazyscope sparsity`: how lazy the neurons of a model are on a text, and what masking them costs. */
export const sparsity = {
  summary: "measure the activation sparsity of a model's MLP neurons on a text, and what masking them costs",
  title: 'Measure lazy neurons',
  shortTitle: 'Lazy neurons',
  introduction: 'Counts the tokens on which each neuron is active, and measures what masking neurons costs.',
  options: {
    model,
    text,
    textField,
    name: nameOf('report', "the model's"),
    maxTokens: {
      field: { type: 'integer', min: 1, doc: 'tokens to measure on' },
      default: 65_536,
      form: { label: 'Most tokens' },
    },
    contextLength: {
      field: contextLength,
      otherwise: "the model's, 128 at most",
      form: { label: 'Context length', advanced: true },
    },
    replaceActivation: {
      field: {
        type: 'text',
        placeholder: 'name',
        doc: 'run it with another activation function, to see what breaks',
      },
    },
    interventions: {
      field: { type: 'flag', doc: 'count only: no PPL-p %, trade-off and robustness' },
      default: true,
      form: { label: 'Also what masking neurons costs: trade-off, PPL-p % and robustness' },
    },
    interventionTokens: {
      field: { type: 'integer', min: 1, doc: 'tokens that perplexity is measured on' },
      otherwise: '4096, fewer for a model of more than 34 million parameters',
      form: { label: 'Tokens of the trade-off', when: withInterventions },
    },
    methods: {
      field: { type: 'text', maxLength: 200, placeholder: 'list', doc: 'of the trade-off, by commas' },
      otherwise: 'all of them',
      form: {
        label: 'Methods of the trade-off',
        hint: 'by commas, for example cett,topk,random',
        when: withInterventions,
      },
    },
    against: {
      field: {
        type: 'text',
        placeholder: 'name|folder',
        doc: 'a second model, to say how differently the two predict',
      },
    },
  },
  subject: { what: 'sparsityReport', option: 'name', inDocument: ['name'], otherwise: ['model'] },
  cost: sparsityCost,
} as const satisfies JobDescription;
