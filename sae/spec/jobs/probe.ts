import { probeCost } from './cost.ts';
import type { JobDescription } from './job.ts';
import { run, seeds, text, textField } from './sharedOptions.ts';

/** `lazyscope probe`: k-sparse probing, targeted perturbation, spurious correlation removal and first-letter absorption, in SAEBench's definitions. */
export const probe = {
  summary: "measure dictionaries by probes in SAEBench's definitions: k-sparse probing, TPP, SCR, absorption",
  title: 'Probe a run',
  shortTitle: 'Probe',
  introduction:
    "SAEBench's measures: first-letter absorption, and with documents of known classes k-sparse probing, targeted probe perturbation and removal of a spurious correlation.",
  options: {
    run,
    seeds,
    text: {
      field: {
        type: 'dataset',
        placeholder: 'file|dataset',
        doc: 'documents of known classes: JSON lines or Parquet with a text and a class in each row, or dataset:sotu',
      },
      open: true,
      otherwise: 'none, and then only absorption is measured',
      form: {
        ...text.form,
        label: 'Documents of known classes',
        hint: 'without one, only absorption is measured',
      },
    },
    textField: { ...textField, otherwise: "'text'", form: { label: 'Field of the text', advanced: true } },
    labelField: {
      field: {
        type: 'text',
        maxLength: 200,
        placeholder: 'name',
        doc: 'the field or column that holds the class of each document',
      },
      otherwise: "'label'",
      form: { label: 'Field of the class', hint: 'for dataset:sotu, party or name' },
    },
    spuriousField: {
      field: {
        type: 'text',
        maxLength: 200,
        placeholder: 'name',
        doc: 'a second field or column: how well a probe of the class is freed of it (SCR); both must have two values',
      },
      otherwise: 'none, and then SCR is not measured',
      form: { label: 'Field of a spurious property', advanced: true },
    },
    documents: {
      field: {
        type: 'integer',
        min: 10,
        doc: 'documents of each class at most; a fifth of them tests probes',
      },
      default: 500,
      form: { label: 'Documents of a class' },
    },
    contextLength: {
      field: { type: 'integer', min: 2, doc: 'tokens of each document at most' },
      default: 128,
      form: { label: 'Tokens of a document', advanced: true },
    },
    k: {
      field: { type: 'integers', min: 1, maxItems: 20, doc: 'numbers of latents that probes are given' },
      otherwise: '1,2,5',
      form: { label: 'Latents of a probe', advanced: true },
    },
    ablate: {
      field: {
        type: 'integers',
        min: 1,
        maxItems: 20,
        doc: 'numbers of latents that are set to 0 for TPP and SCR',
      },
      otherwise: '2,5,10,20,50,100,500',
      form: { label: 'Latents set to 0', advanced: true },
    },
    words: {
      field: {
        type: 'integer',
        min: 0,
        doc: "different words of the capture's text that absorption is measured on; 0 leaves it out",
      },
      default: 5000,
      form: { label: 'Words for absorption', hint: '0 leaves absorption out', advanced: true },
    },
  },
  subject: { what: 'run', option: 'run' },
  cost: probeCost,
  needs: { cores: 'all', memory: 0.5, gpu: true },
} as const satisfies JobDescription;
