import { LazyscopeError } from '../../sae/errors.ts';
import { expertOf, hookPointsOf } from '../../sae/models/hookPoints.ts';
import { openModelFiles } from '../../sae/models/openModelFiles.ts';
import { parseModelConfig } from '../../sae/models/readModelConfig.ts';
import type { WeightSource } from '../../sae/models/weightSource.ts';
import type { ServerContext } from '../context.ts';
import type { GenerateInput, Generation, ModelRow } from '../contract/models.ts';
import { modelFoldersIn, namedModelFolder } from './modelFolders.ts';

/** Lists the models. A folder that can't be read as one is logged and left out. */
export async function listModels(server: ServerContext): Promise<ModelRow[]> {
  const found = await modelFoldersIn(server.modelFolders);
  const rows = await Promise.all(
    found.map(async ({ name, folder, parent }) => {
      try {
        const files = openModelFiles(folder);
        const config = parseModelConfig(files.config, files.configSource);
        return {
          name,
          folder,
          bundled: parent !== server.store.models(),
          family: config.family,
          activation: config.activation,
          gated: config.gated,
          layers: config.layers,
          d: config.d,
          neurons: config.neurons,
          heads: config.heads,
          vocabulary: config.vocabularySize,
          contextLength: config.contextLength,
          hookPoints: hookPointsOf(config).filter((hook) => !expertOf(hook)),
          parameters: countParameters(await files.weights()),
        } satisfies ModelRow;
      } catch (error) {
        server.log(`Left out of the list of models: '${folder}'.`, error);
        return undefined;
      }
    }),
  );
  return rows.filter((row) => row !== undefined);
}

/** Generates text in a separate process, because forward passes would delay all other requests. */
export async function generateText(server: ServerContext, input: GenerateInput): Promise<Generation> {
  const folder = namedModelFolder(server.modelFolders, input.model);
  if (!folder)
    throw new LazyscopeError('not_found', `There is no model '${input.model}': see the list of models.`);
  return server.commands.generate(folder, input);
}

/** The number of parameters, from the headers of the files without reading weights. */
export function countParameters(files: readonly WeightSource[]): number {
  return files
    .flatMap((file) => file.names.map((tensor) => file.shape(tensor)))
    .reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
}
