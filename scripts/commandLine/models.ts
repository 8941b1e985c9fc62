/** Language models as people name them: by name (the data folder's, then those of the package), by folder or by file. */
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { LazyscopeError } from '../../sae/errors.ts';
import { isModel } from '../../sae/models/isModel.ts';
import { modelPlace } from '../../sae/models/modelPlace.ts';
import type { LanguageModel } from '../../sae/models/languageModel.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { hasModel, type CaptureManifest } from '../../sae/spec/manifests/capture.ts';
import { bundledModels } from './environment.ts';

/** Throws 'not_found' when there is no such model. */
export function modelFolder(store: StoreLayout, model: string): string {
  const isName = !/[/\\]/.test(model) && model !== '.' && model !== '..';
  const candidates = [
    ...(isName ? [join(store.models(), model), join(bundledModels, model)] : []),
    resolve(model),
  ];
  const found = candidates.find(isModel);
  if (!found)
    throw new LazyscopeError(
      'not_found',
      `There is no model '${model}': give the folder of a model in Hugging Face layout (with a config.json), a .gguf file, or the name of one in '${store.models()}' or '${bundledModels}'.`,
    );
  return found;
}

/** Models of the data folder, and those of the package whose name it doesn't have. */
export function modelsIn(store: StoreLayout): { name: string; path: string; bundled: boolean }[] {
  const found = new Map<string, { name: string; path: string; bundled: boolean }>();
  for (const folder of [store.models(), bundledModels])
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      const path = join(folder, name);
      if (!found.has(name) && isModel(path))
        found.set(name, { name, path, bundled: folder === bundledModels });
    }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Loads the model, with another activation function than its own if one is named. */
export async function loadModel(
  store: StoreLayout,
  model: string,
  { replaceActivation }: { replaceActivation?: string } = {},
): Promise<LanguageModel> {
  const { loadLanguageModel } = await import('../../sae/models/loadLanguageModel.ts');
  const { parseActivationFunction } =
    await import('../../sae/models/activationFunctions/activationFunctions.ts');
  return loadLanguageModel(modelFolder(store, model), {
    replaceActivation:
      replaceActivation === undefined ? undefined : parseActivationFunction(replaceActivation),
  });
}

/** The model a capture was made with; when its folder has moved, one of the same name. Null where it isn't known. */
export async function loadModelOfCapture(
  store: StoreLayout,
  capture: CaptureManifest,
): Promise<LanguageModel | null> {
  if (!hasModel(capture)) return null;
  return loadModel(store, modelPlace(store, capture.model) ?? capture.model.name);
}
