/** The forms that start jobs: their fields, and how what was typed becomes what the server is asked. */
import type { JobKind, JobStartInput } from '../../../server/client.ts';

export type FieldSource =
  | 'models'
  | 'captures'
  | 'runs'
  | 'texts'
  | 'hooks'
  | 'captureHooks'
  | 'architectures'
  | 'runSeeds'
  | 'comparisons'
  | 'dtypes';

export interface JobField {
  name: string;
  label: string;
  /** What to type, and what happens when it is left empty. */
  hint?: string;
  required?: boolean;
  kind: 'choice' | 'text' | 'whole' | 'number' | 'list' | 'wholes' | 'size' | 'flag';
  source?: FieldSource;
  /** Shown only when another field has one of these values. */
  when?: { field: string; values: readonly string[] };
  /** One of the settings most people leave alone. */
  advanced?: boolean;
}

const model: JobField = { name: 'model', label: 'Model', kind: 'choice', source: 'models', required: true };
const text: JobField = { name: 'text', label: 'Text', kind: 'choice', source: 'texts', required: true };
const run: JobField = { name: 'run', label: 'Run', kind: 'choice', source: 'runs', required: true };
const seeds: JobField = {
  name: 'seeds',
  label: 'Seeds',
  kind: 'wholes',
  hint: 'like 0, 1, 2; all of the run when empty',
};
const named = (hint: string): JobField => ({ name: 'name', label: 'Name', kind: 'text', hint });

export const jobForms: Record<JobKind, { title: string; says: string; fields: readonly JobField[] }> = {
  capture: {
    title: 'Capture activations',
    says: 'Runs a model over text and keeps what passes its hook points.',
    fields: [
      model,
      text,
      {
        name: 'hooks',
        label: 'Hook points',
        kind: 'list',
        source: 'hooks',
        required: true,
        hint: 'separated by commas',
      },
      named('from model and text when empty'),
      { name: 'maxTokens', label: 'Most tokens', kind: 'whole', hint: 'the whole text when empty' },
      { name: 'contextLength', label: 'Context length', kind: 'whole', advanced: true },
      { name: 'dtype', label: 'Stored as', kind: 'choice', source: 'dtypes', advanced: true },
    ],
  },
  train: {
    title: 'Train dictionaries',
    says: 'Trains sparse autoencoders on a capture, all seeds in one pass.',
    fields: [
      {
        name: 'architecture',
        label: 'Architecture',
        kind: 'choice',
        source: 'architectures',
        required: true,
      },
      { name: 'capture', label: 'Capture', kind: 'choice', source: 'captures', required: true },
      {
        name: 'hook',
        label: 'Hook point',
        kind: 'choice',
        source: 'captureHooks',
        hint: 'the only one when empty',
      },
      { name: 'seeds', label: 'Seeds', kind: 'wholes', hint: 'like 0, 1, 2' },
      { name: 'width', label: 'Latents', kind: 'whole' },
      {
        name: 'k',
        label: 'k',
        kind: 'whole',
        hint: 'latents kept a token',
        when: { field: 'architecture', values: ['topk'] },
      },
      {
        name: 'sparsityCoefficient',
        label: 'Sparsity λ',
        kind: 'number',
        when: { field: 'architecture', values: ['relu', 'jumprelu'] },
      },
      {
        name: 'targetL0',
        label: 'Target L0',
        kind: 'number',
        when: { field: 'architecture', values: ['jumprelu'] },
      },
      { name: 'tokens', label: 'Tokens to train on', kind: 'whole' },
      named('from the configuration when empty'),
      { name: 'batchSize', label: 'Batch size', kind: 'whole', advanced: true },
      { name: 'learningRate', label: 'Learning rate', kind: 'number', advanced: true },
      { name: 'resume', label: 'Go on from the last checkpoint', kind: 'flag', advanced: true },
    ],
  },
  evaluate: {
    title: 'Evaluate a run',
    says: 'L0, FVU and cross-entropy recovered, on held-out tokens.',
    fields: [
      run,
      seeds,
      { name: 'maxTokens', label: 'Most tokens', kind: 'whole', hint: 'all held-out ones when empty' },
    ],
  },
  index: {
    title: 'Index features',
    says: 'Density, histogram, examples, token effects and neighbours of each latent.',
    fields: [run, seeds],
  },
  compare: {
    title: 'Compare two dictionaries',
    says: 'Matches their latents one to one and says which are shared.',
    fields: [
      { name: 'a', label: 'Dictionary a', kind: 'choice', source: 'runSeeds', required: true },
      { name: 'b', label: 'Dictionary b', kind: 'choice', source: 'runSeeds', required: true },
      { name: 'threshold', label: 'Cosine threshold', kind: 'number', hint: '0.7 when empty' },
      named('from both when empty'),
      {
        name: 'swap',
        label: 'Functional swap: b’s latents in a’s place',
        kind: 'flag',
      },
      {
        name: 'memory',
        label: 'Memory',
        kind: 'size',
        hint: 'like 2GB; no limit when empty',
        advanced: true,
      },
      { name: 'gap', label: 'Optimality gap', kind: 'number', hint: '0.001 when empty', advanced: true },
      { name: 'maxTokens', label: 'Tokens compared on', kind: 'whole', advanced: true },
    ],
  },
  map: {
    title: 'Map two dictionaries',
    says: 'Lays the decoder rows of both dictionaries of a comparison out in the plane (UMAP).',
    fields: [
      { name: 'comparison', label: 'Comparison', kind: 'choice', source: 'comparisons', required: true },
      { name: 'points', label: 'Most points', kind: 'whole', hint: '131,072 when empty' },
    ],
  },
  sparsity: {
    title: 'Measure lazy neurons',
    says: 'Counts the tokens on which each neuron is active, and measures what masking neurons costs.',
    fields: [
      model,
      text,
      named('from the model when empty'),
      { name: 'maxTokens', label: 'Most tokens', kind: 'whole' },
      { name: 'contextLength', label: 'Context length', kind: 'whole', advanced: true },
    ],
  },
};

export type JobDraft = { input: JobStartInput } | { errors: Record<string, string> };

/** What a form's values ask for, or what is wrong with them, field by field. */
export function draftJob(kind: JobKind, values: Readonly<Record<string, string>>): JobDraft {
  const errors: Record<string, string> = {};
  const options: Record<string, unknown> = {};
  for (const field of jobForms[kind].fields) {
    if (field.when && !field.when.values.includes(values[field.when.field] ?? '')) continue;
    const typed = (values[field.name] ?? '').trim();
    if (!typed) {
      if (field.required) errors[field.name] = `${field.label} is needed.`;
      continue;
    }
    const parsed = parse(field, typed);
    if ('error' in parsed) errors[field.name] = parsed.error;
    else options[field.name] = parsed.value;
  }
  if (kind === 'compare' && options.a && JSON.stringify(options.a) === JSON.stringify(options.b))
    errors.b = 'Choose another one: a dictionary always matches itself.';
  if (Object.keys(errors).length > 0) return { errors };
  // The server parses it again with the schema this type comes from, and says so if they disagree.
  return { input: { kind, options } as JobStartInput };
}

type Parsed = { value: unknown } | { error: string };

function parse(field: JobField, typed: string): Parsed {
  switch (field.kind) {
    case 'whole':
      return /^\d[\d,_ ]*$/.test(typed) && Number(bare(typed)) > 0
        ? { value: Number(bare(typed)) }
        : { error: `${field.label} must be a whole number above 0, like 4096.` };
    case 'number': {
      const value = Number(typed);
      return Number.isFinite(value) && value >= 0
        ? { value }
        : { error: `${field.label} must be a number, like 0.001 or 3e-4.` };
    }
    case 'wholes': {
      const parts = typed.split(/[\s,;]+/).filter(Boolean);
      return parts.every((part) => /^\d+$/.test(part))
        ? { value: [...new Set(parts.map(Number))] }
        : { error: `${field.label} must be whole numbers, like 0, 1, 2.` };
    }
    case 'list':
      return { value: typed.split(/[\s,;]+/).filter(Boolean) };
    case 'size':
      return /^\d+(\.\d+)?[kMGT]?B?$/i.test(typed.replaceAll(' ', ''))
        ? { value: typed.replaceAll(' ', '') }
        : { error: `${field.label} must be a size, like 800MB or 2GB.` };
    case 'flag':
      return { value: typed === 'on' };
    case 'choice': {
      if (field.source !== 'runSeeds') return { value: typed };
      const split = typed.lastIndexOf('/');
      return { value: { run: typed.slice(0, split), seed: Number(typed.slice(split + 1)) } };
    }
    case 'text':
      return /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(typed)
        ? { value: typed }
        : {
            error: `${field.label}: use letters, digits, dot, dash and underscore, starting with a letter or digit.`,
          };
  }
}

function bare(typed: string): string {
  return typed.replace(/[,_ ]/g, '');
}
