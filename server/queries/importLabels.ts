/** Reads labels from a file into the store: all that can be taken in one step, and a reason for each of the others. */
import { LazyscopeError } from '../../sae/errors.ts';
import { parseLabelCsv } from '../../sae/formats/labels/labelCsv.ts';
import { parseLabelJson, parseNeuronpedia } from '../../sae/formats/labels/labelJson.ts';
import type { FiledLabel, ParsedLabels } from '../../sae/formats/labels/labelFile.ts';
import type { ServerContext } from '../context.ts';
import type { LabelFormat, LabelImport, LabelImportInput } from '../contract/labels.ts';
import type { LabelEntry } from './labelBook.ts';
import { missingLatents } from './missingLatents.ts';

const parsers = {
  csv: parseLabelCsv,
  json: parseLabelJson,
  neuronpedia: parseNeuronpedia,
} as const satisfies Record<LabelFormat, (text: string) => ParsedLabels>;

/** Skipped entries that are described one by one. */
const mostExamples = 50;

/** Throws 'bad_input' for a text that isn't of the format, and for Neuronpedia's without a dictionary; nothing is changed then. */
export async function importLabels(server: ServerContext, input: LabelImportInput): Promise<LabelImport> {
  const { format, text, run, seed, overwrite, dryRun } = input;
  if (format === 'neuronpedia' && (run === undefined || seed === undefined))
    throw new LazyscopeError(
      'bad_input',
      'An explanation of Neuronpedia names no dictionary of this store: say which run and seed they are of.',
    );
  const { labels, faults } = parsers[format](text);
  const skipped = [...faults];
  const skip = ({ line }: FiledLabel, why: string) => void skipped.push({ line, why });
  const placed = labels.flatMap((one) => {
    const dictionary = { run: one.run ?? run, seed: one.seed ?? seed };
    if (dictionary.run === undefined) skip(one, 'it names no run');
    else if (dictionary.seed === undefined) skip(one, 'it names no seed');
    else return [{ one, run: dictionary.run, seed: dictionary.seed, latent: one.latent }];
    return [];
  });
  const missing = await missingLatents(server, placed);
  const entries = new Map<string, LabelEntry>();
  let replaced = 0;
  for (const [i, { one, ...feature }] of placed.entries()) {
    const why = missing[i];
    const key = `${feature.run}/${feature.seed}/${feature.latent}`;
    const before = why === undefined ? await server.labels.written(feature) : undefined;
    if (why !== undefined) skip(one, why);
    else if (entries.has(key)) skip(one, 'an earlier entry labels the same latent');
    else if (before && before.label !== '' && !overwrite) skip(one, 'the latent has a label, which was kept');
    else {
      if (before && before.label !== '') replaced++;
      const note = one.note || (before?.note ?? '');
      entries.set(key, { ...feature, label: one.label, note, source: { kind: 'imported', was: one.was } });
    }
  }
  if (!dryRun && entries.size > 0) await server.labels.write([...entries.values()]);
  const reasons: Record<string, number> = {};
  for (const { why } of skipped) reasons[why] = (reasons[why] ?? 0) + 1;
  return {
    taken: entries.size,
    replaced,
    skipped: skipped.length,
    reasons,
    examples: skipped.sort((a, b) => a.line - b.line).slice(0, mostExamples),
  };
}
