/** Labels as files, in the formats that `importLabels` reads. */
import { LazyscopeError } from '../../sae/errors.ts';
import { csvLine } from '../../sae/formats/labels/labelCsv.ts';
import type { NeuronpediaExplanation } from '../../sae/formats/labels/labelJson.ts';
import { parseHookPoint } from '../../sae/models/hookPoints.ts';
import { printSource } from '../../sae/spec/labelSources.ts';
import type { ServerContext } from '../context.ts';
import type { Label } from '../contract/label.ts';
import type { LabelExport, LabelExportInput } from '../contract/labels.ts';
import { modelOfRun, runWithSeed } from './dictionaries.ts';
import { labelledFeatures } from './labelPage.ts';

/** Throws 'bad_input' for Neuronpedia's format without one dictionary, because its entries don't name theirs. */
export async function exportLabels(server: ServerContext, input: LabelExportInput): Promise<LabelExport> {
  const found = await labelledFeatures(server, input);
  const labels = found.flatMap(({ label }) => label ?? []);
  const name = ['labels', input.run, input.seed === undefined ? undefined : `seed-${input.seed}`, input.list]
    .filter((part) => part !== undefined)
    .join('-');
  const file = (ending: string, mediaType: string, text: string) => ({
    name: `${name}.${ending}`,
    mediaType,
    text,
    labels: labels.length,
  });
  switch (input.format) {
    case 'csv':
      return file('csv', 'text/csv', labelCsv(labels));
    case 'json':
      return file('json', 'application/json', `${JSON.stringify(labels.map(described), null, 2)}\n`);
    case 'neuronpedia': {
      const explanations = await neuronpedia(server, input, labels);
      return file('neuronpedia.json', 'application/json', `${JSON.stringify(explanations, null, 2)}\n`);
    }
  }
}

function labelCsv(labels: readonly Label[]): string {
  const header = [
    'run', 'seed', 'latent', 'label', 'note', 'source', 'updatedAt',
    'detection', 'detectionLow', 'detectionHigh', 'detectionContexts', 'fuzzing',
  ]; // prettier-ignore
  return [
    csvLine(header),
    ...labels.map((one) => {
      const { detection, fuzzing } = one;
      return csvLine([
        one.run,
        one.seed,
        one.latent,
        one.label,
        one.note,
        printSource(one.source),
        one.updatedAt,
        detection?.balancedAccuracy ?? null,
        detection?.interval[0] ?? null,
        detection?.interval[1] ?? null,
        detection ? detection.positives + detection.negatives : null,
        fuzzing?.balancedAccuracy ?? null,
      ]);
    }),
  ].join('');
}

function described({ source, ...label }: Label) {
  return { ...label, source: printSource(source) };
}

async function neuronpedia(
  server: ServerContext,
  { run, seed }: LabelExportInput,
  labels: readonly Label[],
): Promise<NeuronpediaExplanation[]> {
  if (run === undefined || seed === undefined)
    throw new LazyscopeError(
      'bad_input',
      "Neuronpedia's format holds the explanations of one dictionary: choose a run and a seed.",
    );
  const manifest = await runWithSeed(server, { run, seed });
  if (manifest.layers)
    throw new LazyscopeError(
      'bad_input',
      `Run '${run}' is of crosscoders, and Neuronpedia has a layer for each latent: choose csv or json.`,
    );
  const model = await modelOfRun(server, manifest);
  const { layer } = parseHookPoint(manifest.config.hook);
  const source = [layer, run, `seed${seed}`].filter((part) => part !== undefined).join('-');
  return labels.map((one) => ({
    modelId: model?.name ?? '',
    layer: source,
    index: String(one.latent),
    description: one.label,
    explanationModelName: one.source.kind === 'endpoint' ? one.source.model : printSource(one.source),
    typeName: one.source.kind === 'data' ? 'lazyscope_rule' : `lazyscope_${one.source.kind}`,
  }));
}
