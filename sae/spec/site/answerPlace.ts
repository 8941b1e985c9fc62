/** In which file of a published site the answer to a question of the explorer is, and under which key. Who writes the site and who reads it both look here. */

/** Latents whose pages are in one file. */
export const latentsInABlock = 32;
/** Neurons whose pages are in one file: they have less on them than a latent's. */
export const neuronsInABlock = 64;

/** What a question is: a procedure of the server, and its input. */
export interface Question {
  procedure: string;
  input: unknown;
}

/** Files have this ending whatever the host makes of others: their content is gzip, which some hosts would take off by themselves. */
const ending = '.bin';

export const siteFiles = {
  /** Answers that belong to nothing in particular, such as lists. */
  general: () => `answers/general${ending}`,
  /** Which pages the site has, which is read before any is shown. */
  parts: () => `answers/parts${ending}`,
  run: (run: string) => `answers/runs/${run}${ending}`,
  capture: (capture: string) => `answers/captures/${capture}${ending}`,
  comparison: (comparison: string) => `answers/comparisons/${comparison}${ending}`,
  /** What the list of a dictionary's latents is made of. */
  dictionary: (run: string, seed: number) => `answers/dictionaries/${run}/${seed}${ending}`,
  block: (run: string, seed: number, latent: number) =>
    `answers/latents/${run}/${seed}/${Math.floor(latent / latentsInABlock)}${ending}`,
  /** A sparsity report with its curves. */
  report: (report: string) => `answers/reports/${report}${ending}`,
  /** What the list of a layer's neurons is made of. */
  neurons: (report: string, layer: number) => `answers/neurons/${report}/${layer}${ending}`,
  neuronBlock: (report: string, layer: number, neuron: number) =>
    `answers/neurons/${report}/${layer}/${Math.floor(neuron / neuronsInABlock)}${ending}`,
  /** The neurons of a report that the latents of a dictionary are aligned with. */
  alignment: (report: string, run: string, seed: number) =>
    `answers/alignments/${report}/${run}/${seed}${ending}`,
  /** Which dictionaries have labels, and what is on each list. */
  labelled: () => `answers/labels${ending}`,
  labels: (run: string, seed: number) => `answers/labels/${run}/${seed}${ending}`,
  /** Which dictionaries can be searched. */
  searched: () => `answers/search${ending}`,
  /** What search reads of a dictionary, and the text that this is of: files of the store as they are. */
  searchIndex: (run: string, seed: number) => `answers/search/${run}/${seed}${ending}`,
  searchText: (key: string) => `answers/texts/${key}${ending}`,
  /** Where the tables lie that are put beside the pages. */
  tables: () => `answers/tables${ending}`,
  /** The texts of a model's tokens. */
  vocabulary: (number: number) => `answers/vocabularies/${number}${ending}`,
  /** A table that a chart draws, as the server sends it. */
  arrow: (path: string) => `answers/arrow/${path}${ending}`,
} as const;

/** The key of what a neuron's page alone has, among those of its block. */
export const neuronKey = (neuron: number) => `neuron ${neuron}`;

/** The file of an answer, and its key there. Questions about what isn't published have a place too, where nothing is. */
export function answerPlace({ procedure, input }: Question): { file: string; key: string } {
  const key = `${procedure} ${JSON.stringify(sorted(input ?? null))}`;
  const { name, runName, run, seed, latent } = fieldsOf(input);
  if (procedure === 'sparsity.neuronAlignment' && typeof name === 'string' && typeof run === 'string' && typeof seed === 'number')
    return { file: siteFiles.alignment(name, run, seed), key }; // prettier-ignore
  if (typeof run === 'string' && typeof seed === 'number' && typeof latent === 'number')
    return { file: siteFiles.block(run, seed, latent), key };
  if (typeof run === 'string') return { file: siteFiles.run(run), key };
  if (typeof runName === 'string') return { file: siteFiles.run(runName), key };
  if (typeof name !== 'string') return { file: siteFiles.general(), key };
  if (procedure.startsWith('runs.')) return { file: siteFiles.run(name), key };
  if (procedure.startsWith('captures.')) return { file: siteFiles.capture(name), key };
  if (procedure.startsWith('comparisons.')) return { file: siteFiles.comparison(name), key };
  if (procedure.startsWith('sparsity.')) return { file: siteFiles.report(name), key };
  return { file: siteFiles.general(), key };
}

function fieldsOf(input: unknown): Partial<Record<string, unknown>> {
  return typeof input === 'object' && input !== null ? { ...input } : {};
}

/** With the fields of objects in alphabetical order, so that equal questions have one key. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, one]) => one !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, one]) => [name, sorted(one)]),
  );
}
