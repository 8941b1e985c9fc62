import { shardTypes } from '../shardTypes.ts';
import { captureCost } from './cost.ts';
import type { JobDescription } from './job.ts';
import { contextLength, exclude, model, nameOf, text, textField } from './sharedOptions.ts';

/** `lazyscope capture`: a model's activations on a text, to shards on the disk. */
export const capture = {
  summary: "capture a language model's activations on a text",
  title: 'Capture activations',
  shortTitle: 'Capture',
  introduction: 'Runs a model over text and keeps what passes its hook points.',
  options: {
    model,
    text,
    textField,
    hooks: {
      field: {
        type: 'texts',
        maxLength: 100,
        placeholder: 'hook',
        doc: 'a hook point, for example blocks.2.hook_resid_post; may be repeated',
      },
      flag: 'hook',
      required: true,
      form: { label: 'Hook points', source: 'modelHooks', hint: 'separated by commas' },
    },
    name: nameOf('capture', 'model and text'),
    contextLength: {
      field: contextLength,
      default: 128,
      form: { label: 'Context length', advanced: true },
    },
    maxTokens: {
      field: { type: 'integer', min: 1, doc: 'stop after this many tokens' },
      otherwise: 'the whole text',
      form: { label: 'Most tokens' },
    },
    finish: {
      field: { type: 'flag', doc: 'end a capture that was stopped at what is there, instead of going on' },
    },
    heldOut: {
      field: {
        type: 'number',
        min: 0,
        max: 1,
        placeholder: 'share',
        doc: 'share of the contexts kept for evaluation',
      },
      default: 0.1,
    },
    firstPosition: {
      field: { type: 'integer', min: 0, doc: 'leave out activations before this position' },
      default: 1,
    },
    bos: {
      field: {
        type: 'choice',
        choices: ['contexts', 'documents', 'nothing'],
        placeholder: 'place',
        doc: "where the separator goes (the tokenizer's beginning-of-text token, or its end-of-text token where it has no other): before every document and at the start of every context, before documents alone, or nowhere",
      },
      default: 'contexts',
      form: { label: 'Separator before', hint: 'the token between documents', advanced: true },
    },
    exclude: exclude('training and figures (they are captured all the same)', 'norm:10'),
    dtype: {
      field: {
        type: 'choice',
        choices: shardTypes,
        placeholder: 'type',
        doc: `how activations are stored, ${shardTypes.join(' or ')}`,
      },
      default: 'float16',
      form: { label: 'Stored as', hint: 'float16 takes half the space', advanced: true },
    },
  },
  subject: { what: 'capture', option: 'name', inDocument: ['name'] },
  cost: captureCost,
} as const satisfies JobDescription;
