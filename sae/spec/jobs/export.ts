import { dictionaryFormats } from '../dictionaryFormats.ts';
import { exportCost } from './cost.ts';
import type { JobDescription } from './job.ts';

/** `lazyscope export`: a dictionary in the layout of another tool. */
export const exportDictionary = {
  summary: 'write a dictionary as SAELens, sparsify, Gemma Scope or dictionary_learning has it',
  title: 'Export a dictionary',
  shortTitle: 'Export',
  introduction: 'Writes a dictionary for another tool, into the folder exports of the data folder.',
  computes: false,
  options: {
    dictionary: {
      field: { type: 'dictionary', placeholder: 'run/seed', doc: 'the dictionary' },
      argument: 'one',
      required: true,
      form: { label: 'Dictionary', source: 'dictionaries' },
    },
    to: {
      field: { type: 'text', placeholder: 'folder', doc: 'a folder that does not exist yet' },
      otherwise: 'one in the folder exports of the data folder',
    },
    name: {
      field: { type: 'name', doc: 'of the folder in exports, instead of --to' },
      otherwise: 'dictionary and format',
      form: { label: 'Folder', hint: 'in the folder exports of the data folder' },
    },
    format: {
      field: {
        type: 'choice',
        choices: dictionaryFormats,
        placeholder: 'format',
        doc: dictionaryFormats.join(', '),
      },
      open: true,
      default: 'saelens',
      form: { label: 'Format' },
    },
  },
  cost: exportCost,
  needs: { cores: 1, memory: 0.25, gpu: false },
} as const satisfies JobDescription;
