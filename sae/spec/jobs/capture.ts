import { shardTypes } from '../shardTypes.ts';
import { captureCost } from './cost.ts';
import type { JobDescription } from './job.ts';
import { contextLength, exclude, model, nameOf, splitting, text, textField } from './sharedOptions.ts';

/** `lazyscope capture`: a model's activations on a text, or activations that another program computed, to shards on the disk. */
export const capture = {
  summary: "capture a language model's activations on a text, or those of another program's files",
  title: 'Capture activations',
  shortTitle: 'Capture',
  introduction: 'Runs a model over text and keeps what passes its hook points.',
  options: {
    model: {
      ...model,
      required: 'job',
      otherwise: 'none, with --from: figures that need it are left out',
    },
    text: { ...text, required: 'job' },
    textField,
    from: {
      field: {
        type: 'texts',
        placeholder: 'path',
        doc: 'activations that another program computed, instead of --text: files of safetensors, .npy, .npz, Arrow or Parquet, a folder of them (such as those of SAELens), or - for a stream of Arrow on standard input; may be repeated',
      },
    },
    column: {
      field: {
        type: 'text',
        maxLength: 200,
        placeholder: 'name',
        doc: 'with --from: the column or array that holds the activations',
      },
      otherwise: "the one of the hook's name, or the only one",
    },
    hooks: {
      field: {
        type: 'texts',
        maxLength: 100,
        placeholder: 'hook',
        commas: true,
        doc: 'a hook point, for example blocks.2.hook_resid_post, or several with commas between them; may be repeated',
      },
      flag: 'hook',
      required: true,
      form: { label: 'Hook points', source: 'modelHooks', hint: 'separated by commas' },
    },
    name: nameOf('capture', 'model and text'),
    contextLength: {
      field: { ...contextLength, doc: `${contextLength.doc} (of --from, as its files have them)` },
      otherwise: '128',
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
      field: { type: 'integer', min: 0, doc: 'leave out activations before this position (of --from, 0)' },
      otherwise: '1',
    },
    bos: {
      field: {
        type: 'choice',
        choices: ['contexts', 'documents', 'nothing'],
        placeholder: 'place',
        doc: "where the separator goes (the tokenizer's beginning-of-text token, or its end-of-text token where it has no other): before every document and at the start of every context, before documents alone, or nowhere",
      },
      otherwise: 'contexts',
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
    shardBytes: {
      field: {
        type: 'integer',
        min: 4096,
        placeholder: 'bytes',
        doc: 'bytes of the largest file of activations, a shard; parts and checkpoints are whole shards, and a capture goes on with the same size only',
      },
      otherwise: '33,554,432',
      form: { label: 'Largest shard', hint: 'bytes of a file of activations', advanced: true },
    },
    ...splitting('shards of contexts'),
  },
  subject: { what: 'capture', option: 'name', inDocument: ['name'] },
  cost: captureCost,
  checkpoints: true,
  splits: true,
} as const satisfies JobDescription;
