/** Labels as JSON: a list, or JSON Lines, of objects; Lazyscope's own, and Neuronpedia's explanations. */
import { LazyscopeError } from '../../errors.ts';
import { checkEntries, type FileEntry, type FileFault, type ParsedLabels } from './labelFile.ts';

/** What is read of a Lazyscope file: `{ run, seed, latent, label, note, source }`. */
export function parseLabelJson(text: string): ParsedLabels {
  return parsed(text, (value, line) => ({
    line,
    run: value['run'],
    seed: value['seed'],
    latent: value['latent'],
    label: value['label'],
    note: value['note'],
    was: value['source'],
  }));
}

/**
 * Neuronpedia's explanations, from its exports or its API: `index` is the latent, `description` the label and `explanationModelName`
 * its author. Throws 'bad_input' for a file of several sources, because an index says nothing without its source.
 */
export function parseNeuronpedia(text: string): ParsedLabels {
  const sources = new Set<string>();
  const read = parsed(text, (value, line) => {
    if ('layer' in value || 'modelId' in value) sources.add(`${value['modelId']} ${value['layer']}`);
    return {
      line,
      latent: value['index'],
      label: value['description'],
      was: value['explanationModelName'],
    };
  });
  if (sources.size > 1)
    throw new LazyscopeError(
      'bad_input',
      `The file has explanations of ${sources.size} sources (${[...sources].slice(0, 2).join('; ')} …): import those of one dictionary at a time.`,
    );
  return read;
}

/** One explanation as Neuronpedia's exports have it. */
export interface NeuronpediaExplanation {
  modelId: string;
  /** The name of the dictionary; Neuronpedia's begin with the number of the layer. */
  layer: string;
  index: string;
  description: string;
  explanationModelName: string;
  typeName: string;
}

type JsonObject = Readonly<Record<string, unknown>>;

function parsed(text: string, entryOf: (value: JsonObject, line: number) => FileEntry): ParsedLabels {
  const faults: FileFault[] = [];
  const entries: FileEntry[] = [];
  for (const { value, line } of valuesOf(text)) {
    if (isObject(value)) entries.push(entryOf(value, line));
    else faults.push({ line, why: value === undefined ? 'it is not JSON' : 'it is not an object' });
  }
  const read = checkEntries(entries);
  return { labels: read.labels, faults: [...faults, ...read.faults].sort((a, b) => a.line - b.line) };
}

/** The entries of a list, of an object with a list `labels` or `explanations`, or of JSON Lines. */
function valuesOf(text: string): { value: unknown; line: number }[] {
  const whole = parse(text);
  const list = isObject(whole) ? (whole['labels'] ?? whole['explanations'] ?? whole) : whole;
  if (Array.isArray(list)) return list.map((value, i) => ({ value, line: i + 1 }));
  if (isObject(list)) return [{ value: list, line: 1 }];
  const lines = text
    .split('\n')
    .map((line, i) => ({ text: line, line: i + 1 }))
    .filter((each) => each.text.trim() !== '');
  const values = lines.map((each) => ({ value: parse(each.text), line: each.line }));
  if (!values.some(({ value }) => isObject(value)))
    throw new LazyscopeError('bad_input', 'The file is neither a JSON list of labels nor JSON Lines.');
  return values;
}

/** Undefined for what is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
