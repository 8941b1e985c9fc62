import { importedFormats } from '../dictionaryFormats.ts';
import { importCost } from './cost.ts';
import type { JobDescription } from './job.ts';
import { nameOf } from './sharedOptions.ts';

/** `lazyscope import`: dictionaries of other tools as a run of the store, each file a seed. */
export const importDictionaries = {
  summary: 'bring in dictionaries of SAELens, sparsify, Gemma Scope, dictionary_learning or Llamascopium',
  title: 'Import a dictionary',
  shortTitle: 'Import',
  introduction: 'Reads a dictionary of another tool, which becomes a run beside those trained here.',
  options: {
    path: {
      field: {
        type: 'name',
        placeholder: 'path',
        doc: 'folders or files, also by their name in the folder imports of the data folder; several become the seeds of one run',
      },
      argument: 'several',
      open: true,
      required: true,
      form: {
        label: 'Folder or file',
        source: 'imports',
        hint: 'put it into the folder imports of the data folder',
      },
    },
    capture: {
      field: { type: 'name', doc: 'a capture of the same model, for evaluation and indexing' },
      required: true,
      form: { label: 'Capture', source: 'captures', hint: 'of the same model' },
    },
    hook: {
      field: {
        type: 'text',
        maxLength: 4000,
        placeholder: 'hook',
        doc: 'the hook point; of a crosscoder its hook points in its order, commas between them',
      },
      otherwise: 'what the file says',
      form: {
        label: 'Hook point',
        source: 'captureHooks',
        several: 'as taken',
        hint: 'where it was trained; of a crosscoder its hook points, in its order',
      },
    },
    outputHook: {
      field: {
        type: 'text',
        maxLength: 100,
        placeholder: 'hook',
        doc: 'of transcoders, the hook point whose activations they predict',
      },
      otherwise: 'what the file says',
      form: { label: 'Predicted hook point', source: 'captureHooks', advanced: true },
    },
    name: nameOf('run', "the first path's"),
    format: {
      field: {
        type: 'choice',
        choices: ['auto', ...importedFormats],
        placeholder: 'format',
        doc: `${importedFormats.join(', ')}, or auto, which is told by the files`,
      },
      open: true,
      default: 'auto',
      form: { label: 'Format', hint: 'told by the files', advanced: true },
    },
    class: {
      field: {
        type: 'text',
        maxLength: 100,
        placeholder: 'class',
        doc: 'of dictionary_learning, where the files leave it open: AutoEncoderTopK, BatchTopKSAE …',
      },
      form: { label: 'Class', advanced: true },
    },
    anyModel: {
      field: { type: 'flag', doc: 'import although the file names another model than the capture' },
      form: { label: 'Also if the file names another model', advanced: true },
    },
    transposed: {
      field: {
        type: 'choice',
        choices: ['encoder', 'decoder', 'both', 'none'],
        placeholder: 'which',
        doc: 'encoder, decoder, both or none: how a square matrix is stored, where the file differs',
      },
      open: true,
      otherwise: 'as the format has it',
      form: { label: 'Stored transposed', advanced: true },
    },
    explain: {
      field: { type: 'flag', doc: 'say what was found and how it would be read, and write nothing' },
      form: { label: 'Only say what was found, and write nothing' },
    },
  },
  subject: { what: 'run', option: 'name', inDocument: ['name'] },
  cost: importCost,
  needs: { cores: 1, memory: 0.25, gpu: true },
} as const satisfies JobDescription;
