import { dictionaryFormats } from '../dictionaryFormats.ts';
import { exportCost } from './cost.ts';
import type { JobDescription } from './job.ts';

const choices = [...dictionaryFormats, 'neuronpedia'] as const;
const ofNeuronpedia = (doc: string) =>
  ({ type: 'text', maxLength: 200, doc: `with --format neuronpedia: ${doc}` }) as const;

/** `lazyscope export`: a dictionary in the layout of another tool, or its feature index for Neuronpedia. */
export const exportDictionary = {
  summary:
    'write a dictionary as SAELens, sparsify, Gemma Scope or dictionary_learning has it, or its features for Neuronpedia',
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
        choices,
        placeholder: 'format',
        doc: `${dictionaryFormats.join(', ')}, or neuronpedia (features and examples, as its import takes them)`,
      },
      open: true,
      default: 'saelens',
      form: { label: 'Format' },
    },
    modelId: { field: ofNeuronpedia('what it calls the model'), otherwise: "the model's name" },
    sourceSet: { field: ofNeuronpedia('the source set'), otherwise: "the run's name and the seed" },
    release: { field: ofNeuronpedia('the release'), otherwise: "the run's name" },
    creator: { field: ofNeuronpedia('who made it'), otherwise: 'unknown' },
    creatorId: { field: ofNeuronpedia('your number there'), otherwise: 'that of its own imports' },
  },
  cost: exportCost,
  needs: { cores: 1, memory: 0.25, gpu: false },
} as const satisfies JobDescription;
