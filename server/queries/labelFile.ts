/** Labels as the text of a file, in the formats that `importLabels` reads. Nothing here needs a disk or a database, so that a published site has it too. */
import { LazyscopeError } from '../../sae/errors.ts';
import { csvLine } from '../../sae/formats/labels/labelCsv.ts';
import type { NeuronpediaExplanation } from '../../sae/formats/labels/labelJson.ts';
import { parseHookPoint } from '../../sae/models/hookPoints.ts';
import { printSource } from '../../sae/spec/labelSources.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { Label } from '../contract/label.ts';
import type { LabelExport, LabelExportInput } from '../contract/labels.ts';
import type { FoundFeature } from './labelRows.ts';

/** What Neuronpedia's format says of the run that all of its entries are of. */
export interface ExportedRun {
  manifest: RunManifest;
  /** The name of its model; null where that is gone. */
  model: string | null;
}

/** `runOf` is asked for Neuronpedia's format alone. Throws 'bad_input' for that format without one dictionary, because its entries don't name theirs, and what `runOf` throws. */
export async function labelFile(
  input: LabelExportInput,
  found: readonly FoundFeature[],
  runOf: (dictionary: { run: string; seed: number }) => Promise<ExportedRun>,
): Promise<LabelExport> {
  const labels = found.flatMap(({ label }) => label ?? []);
  const { run, seed } = input;
  const name = ['labels', run, seed === undefined ? undefined : `seed-${seed}`, input.list]
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
      if (run === undefined || seed === undefined)
        throw new LazyscopeError(
          'bad_input',
          "Neuronpedia's format holds the explanations of one dictionary: choose a run and a seed.",
        );
      const explanations = neuronpedia(await runOf({ run, seed }), seed, labels);
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

function neuronpedia(
  { manifest, model }: ExportedRun,
  seed: number,
  labels: readonly Label[],
): NeuronpediaExplanation[] {
  const { name: run, config } = manifest;
  if (manifest.layers)
    throw new LazyscopeError(
      'bad_input',
      `Run '${run}' is of crosscoders, and Neuronpedia has a layer for each latent: choose csv or json.`,
    );
  const { layer } = parseHookPoint(config.hook);
  const source = [layer, run, `seed${seed}`].filter((part) => part !== undefined).join('-');
  return labels.map((one) => ({
    modelId: model ?? '',
    layer: source,
    index: String(one.latent),
    description: one.label,
    explanationModelName: one.source.kind === 'endpoint' ? one.source.model : printSource(one.source),
    typeName: one.source.kind === 'data' ? 'lazyscope_rule' : `lazyscope_${one.source.kind}`,
  }));
}
