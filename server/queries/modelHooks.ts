/** Which of some hook points a model has, by its configuration alone: no weights are read. */
import { isLazyscopeError, LazyscopeError } from '../../sae/errors.ts';
import { hookPointsOf, parseHookPoint } from '../../sae/models/hookPoints.ts';
import { hookWidth } from '../../sae/models/hookWidth.ts';
import type { ModelConfig } from '../../sae/models/modelConfig.ts';
import { openModelFiles } from '../../sae/models/openModelFiles.ts';
import { parseModelConfig } from '../../sae/models/readModelConfig.ts';
import type { ServerContext } from '../context.ts';
import type { HookCheck } from '../contract/models.ts';
import { namedModelFolder } from './modelFolders.ts';
import { nearestName } from './nearestName.ts';

export function checkHooks(
  server: ServerContext,
  { model, hooks }: { model: string; hooks: readonly string[] },
): HookCheck[] {
  const config = modelConfig(server, model);
  const known = hookPointsOf(config);
  return hooks.map((hook) => {
    if (!known.some((one) => one === hook)) {
      const nearest = nearestName(hook, known);
      const fault = `'${model}' has no hook point '${hook}'${nearest === null ? '' : `: did you mean '${nearest}'?`}`;
      return { hook, width: null, fault, nearest };
    }
    try {
      const width = hookWidth(config, parseHookPoint(hook, config.layers).name);
      return { hook, width, fault: null, nearest: null };
    } catch (error) {
      if (!isLazyscopeError(error)) throw error;
      return { hook, width: null, fault: error.message, nearest: null };
    }
  });
}

/** Throws `not_found` for a model that the server doesn't have. */
export function modelConfig({ modelFolders }: ServerContext, model: string): ModelConfig {
  const folder = namedModelFolder(modelFolders, model);
  if (!folder) throw new LazyscopeError('not_found', `There is no model '${model}': see the list of models.`);
  const files = openModelFiles(folder);
  return parseModelConfig(files.config, files.configSource);
}
