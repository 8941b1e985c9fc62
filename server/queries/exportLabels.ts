/** Labels as files, in the formats that `importLabels` reads. */
import type { ServerContext } from '../context.ts';
import type { LabelExport, LabelExportInput } from '../contract/labels.ts';
import { modelOfRun, runWithSeed } from './dictionaries.ts';
import { labelFile } from './labelFile.ts';
import { labelledFeatures } from './labelPage.ts';

/** Throws 'bad_input' for Neuronpedia's format without one dictionary, because its entries don't name theirs. */
export async function exportLabels(server: ServerContext, input: LabelExportInput): Promise<LabelExport> {
  return labelFile(input, await labelledFeatures(server, input), async (dictionary) => {
    const manifest = await runWithSeed(server, dictionary);
    return { manifest, model: (await modelOfRun(server, manifest))?.name ?? null };
  });
}
