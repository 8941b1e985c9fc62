import {
  architectureNames,
  architectures,
  describedArchitecture,
  type ArchitectureName,
} from '../architectures/architectures.ts';
import { trainingFields } from '../trainingFields.ts';
import { architectureOptions } from './architectureOptions.ts';
import type { JobDescription } from './job.ts';
import { exclude, nameOf, screening, storage } from './sharedOptions.ts';

/** Rates are chosen for dictionaries up to this width; wider ones take smaller steps. */
const usualWidth = 1024;
const learningRates = Object.fromEntries(
  architectureNames.map((name) => [
    name,
    String(describedArchitecture(name).defaults(usualWidth, usualWidth / 8).learningRate),
  ]),
);

/** `lazyscope train`: sparse autoencoders, all seeds of a configuration in one pass over a capture. */
export const train = {
  summary: 'train sparse autoencoders on a capture, by flags or by a sweep file',
  title: 'Train dictionaries',
  shortTitle: 'Train',
  introduction: 'Trains sparse autoencoders on a capture, all seeds in one pass.',
  options: {
    sweep: {
      field: {
        type: 'text',
        placeholder: 'sweep',
        doc: 'a YAML file with lists of architectures, hooks, widths, sparsities and seeds',
      },
      argument: 'one',
    },
    architecture: {
      field: {
        type: 'choice',
        choices: architectureNames,
        titles: Object.fromEntries(architectureNames.map((name) => [name, architectures[name].label])),
        placeholder: 'name',
        doc: `the architecture: ${inWords(architectureNames)}`,
      },
      required: 'job',
      form: { label: 'Architecture', hint: 'which latents fire, and how that is trained' },
    },
    capture: {
      field: { type: 'name', doc: trainingFields.capture.doc },
      required: 'job',
      form: { label: trainingFields.capture.label, source: 'captures' },
    },
    hook: {
      field: { ...trainingFields.hook, maxLength: 100, placeholder: 'hook' },
      otherwise: "the capture's only one",
      form: { label: trainingFields.hook.label, source: 'captureHooks' },
    },
    name: nameOf('run', 'capture and architecture'),
    width: {
      field: trainingFields.width,
      otherwise: '8 to 16 times the width of the activations',
      form: { label: trainingFields.width.label },
    },
    seeds: {
      field: trainingFields.seeds,
      otherwise: '0',
      form: { label: trainingFields.seeds.label },
    },
    tokens: {
      field: trainingFields.tokens,
      otherwise: "the capture's, four times over",
      form: { label: trainingFields.tokens.label },
    },
    ...architectureOptions,
    batchSize: {
      field: trainingFields.batchSize,
      otherwise: '2,048, fewer in short runs',
      form: { label: trainingFields.batchSize.label, advanced: true },
    },
    learningRate: {
      field: trainingFields.learningRate,
      otherwise: { option: 'architecture', words: learningRates },
      form: {
        label: trainingFields.learningRate.label,
        hint: `after warm-up; by default smaller for more than ${usualWidth.toLocaleString('en-US')} latents`,
        advanced: true,
      },
    },
    checkpointEvery: { field: trainingFields.checkpointEvery, otherwise: '500' },
    logEvery: { field: trainingFields.logEvery, otherwise: 'a hundredth of all steps, 50 at most' },
    exclude: exclude('training', 'what the capture says'),
    resume: {
      field: {
        type: 'flag',
        doc: 'go on with what was interrupted (of one run, --name is enough); finished runs stay as they are',
      },
      form: { label: 'Go on from the last checkpoint', advanced: true },
    },
    screening,
    storage,
  },
  subject: { what: 'run', option: 'name', inDocument: ['runs', 0, 'name'] },
} as const satisfies JobDescription;

function inWords(names: readonly ArchitectureName[]): string {
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
