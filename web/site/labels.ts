/** Labels and lists, which the site has to read: pages of them, and files to save. */
import { siteFiles } from '../../sae/spec/site/answerPlace.ts';
import type { LabelledFile, LabelsFile } from '../../sae/spec/site/siteContent.ts';
import type { FeatureInput } from '../../server/contract/features.ts';
import type { Label } from '../../server/contract/label.ts';
import type {
  LabelExport,
  LabelExportInput,
  LabelPage,
  LabelPageInput,
} from '../../server/contract/labels.ts';
import type { DictionaryReference } from '../../server/contract/tokens.ts';
import { DictionaryLabels } from '../../server/queries/dictionaryLabels.ts';
import { labelFile, type ExportedRun } from '../../server/queries/labelFile.ts';
import { featuresWithLabels, pageOfLabels, type LabelParts } from '../../server/queries/labelRows.ts';
import { NotPublished, siteFile } from './siteFile.ts';

const labelled = () => siteFile<LabelledFile>(siteFiles.labelled());

/** By the file's content, which is the same object as long as it is in memory. */
const kept = new WeakMap<LabelsFile, DictionaryLabels>();

export async function labelsOf({ run, seed }: DictionaryReference): Promise<DictionaryLabels> {
  const { dictionaries } = await labelled();
  if (!dictionaries.some((one) => one.run === run && one.seed === seed))
    return new DictionaryLabels(undefined, []);
  const file = await siteFile<LabelsFile>(siteFiles.labels(run, seed));
  // Whoever wrote the site wrote labels there.
  const labels = file as unknown as readonly Label[];
  const made = kept.get(file) ?? new DictionaryLabels(new Map(labels.map((one) => [one.latent, one])), []);
  kept.set(file, made);
  return made;
}

/** The features of a list, in the order in which they joined it. */
async function membersOf(list: string): Promise<readonly FeatureInput[]> {
  const { lists } = await labelled();
  if (!Object.hasOwn(lists, list)) throw new NotPublished(`The published study has no list '${list}'.`);
  return lists[list];
}

export async function latentsOnList(
  list: string,
  { run, seed }: DictionaryReference,
): Promise<ReadonlySet<number>> {
  const members = await membersOf(list);
  return new Set(members.filter((one) => one.run === run && one.seed === seed).map(({ latent }) => latent));
}

/** Labels of all dictionaries: whoever looks at them all reads them all. */
async function partsFor({ list }: { list?: string | undefined }): Promise<LabelParts> {
  const { dictionaries } = await labelled();
  return {
    dictionaries: await Promise.all(
      dictionaries.map(async ({ run, seed }) => ({ run, seed, labels: await labelsOf({ run, seed }) })),
    ),
    members: list === undefined ? undefined : await membersOf(list),
  };
}

export async function labelPage(input: LabelPageInput): Promise<LabelPage> {
  return pageOfLabels(input, await partsFor(input), async (features) => {
    const { lists } = await labelled();
    return features.map(({ run, seed, latent }) =>
      Object.entries(lists)
        .filter(([, members]) =>
          members.some((one) => one.run === run && one.seed === seed && one.latent === latent),
        )
        .map(([name]) => name)
        .sort(),
    );
  });
}

/** `runOf` gives what the site knows of a run. */
export async function exportLabels(
  input: LabelExportInput,
  runOf: (run: string) => Promise<ExportedRun>,
): Promise<LabelExport> {
  const found = featuresWithLabels(input, await partsFor(input));
  return labelFile(input, found, ({ run }) => runOf(run));
}
