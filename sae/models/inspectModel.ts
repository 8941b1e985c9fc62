/** What is to be known about a model before anything is computed, and everything that stands in the way of running it. */
import { isLazyscopeError } from '../errors.ts';
import { storedFormats } from '../ops/storedTensor.ts';
import { familyOf } from './families/families.ts';
import { hookPointsOf } from './hookPoints.ts';
import type { HookPoint } from './hookPoints.ts';
import { locateWeights } from './locateWeights.ts';
import type { ModelConfig } from './modelConfig.ts';
import { openModelFiles } from './openModelFiles.ts';
import { parseModelConfig } from './readModelConfig.ts';
import type { WeightSource } from './weightSource.ts';

export interface ModelInspection {
  path: string;
  name?: string;
  family?: string;
  activation?: string;
  /** Numbers in the weights that the model uses. */
  parameters?: number;
  /** Number formats of the weights, the one of most parameters first. */
  dtypes?: string[];
  contextLength?: number;
  layers?: number;
  d?: number;
  neurons?: number;
  heads?: number;
  vocabulary?: number;
  tokenizer?: { vocabularySize: number; bosToken?: string; eosToken?: string };
  hookPoints?: HookPoint[];
  /** One sentence each; empty when the model can be run. */
  problems: string[];
}

/** Reads headers alone. Nothing it finds is thrown, only faults of ours. */
export async function inspectModel(path: string): Promise<ModelInspection> {
  const problems: string[] = [];
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!isLazyscopeError(error)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  const files = await attempt(() => openModelFiles(path));
  if (!files) return { path, problems };
  const config = await attempt(() => parseModelConfig(files.config, files.configSource));
  const tokenizer = await attempt(() => files.tokenizer());
  const weights = await attempt(() => files.weights());
  if (config && tokenizer && tokenizer.vocabularySize > config.vocabularySize)
    problems.push(
      `The tokenizer of '${path}' has ${tokenizer.vocabularySize} tokens, its model only ${config.vocabularySize}.`,
    );
  const counted = weights && countWeights(weights, config && used(weights, config, path, problems));
  return {
    path,
    name: files.name,
    ...(config && describe(config)),
    ...counted,
    ...(tokenizer && {
      tokenizer: {
        vocabularySize: tokenizer.vocabularySize,
        ...(tokenizer.bosId !== undefined && { bosToken: tokenizer.tokenText(tokenizer.bosId) }),
        ...(tokenizer.eosId !== undefined && { eosToken: tokenizer.tokenText(tokenizer.eosId) }),
      },
    }),
    problems,
  };
}

function describe(config: ModelConfig) {
  const { family, activation, contextLength, layers, d, neurons, heads } = config;
  return {
    family,
    activation,
    contextLength,
    layers,
    d,
    neurons,
    heads,
    vocabulary: config.vocabularySize,
    hookPoints: [...hookPointsOf(config)],
  };
}

type Place = { file: WeightSource; stored: string };

/** The weights that the configuration asks for; what is wrong with them goes to `problems`. */
function used(
  files: readonly WeightSource[],
  config: ModelConfig,
  path: string,
  problems: string[],
): Place[] {
  const { shapes, naming } = familyOf(config);
  const found = locateWeights(files, path, shapes, naming);
  problems.push(...found.problems.map(({ message }) => message));
  const places = [...found.located.values()];
  const readable = new Set<string>([...storedFormats, 'F64', 'I32', 'I64']);
  const unread = places.filter(({ file, stored }) => !readable.has(file.dtype(stored)));
  if (unread.length > 0) {
    const [{ file, stored }] = unread;
    const types = [...new Set(unread.map((place) => place.file.dtype(place.stored)))];
    problems.push(
      `${unread.length} tensors of '${file.path}', '${stored}' the first, have types that can't be read (${types.join(', ')}).`,
    );
  }
  return places;
}

function countWeights(files: readonly WeightSource[], places?: readonly Place[]) {
  const all = places ?? files.flatMap((file) => file.names.map((stored) => ({ file, stored })));
  const byType = new Map<string, number>();
  for (const { file, stored } of all) {
    const size = file.shape(stored).reduce((product, n) => product * n, 1);
    byType.set(file.dtype(stored), (byType.get(file.dtype(stored)) ?? 0) + size);
  }
  const ordered = [...byType].sort((a, b) => b[1] - a[1]);
  return {
    parameters: ordered.reduce((sum, [, count]) => sum + count, 0),
    dtypes: ordered.map(([type]) => type),
  };
}
