/** The facts of a job, from what it names: the manifest of its capture or run, the files of its model. No weights are read. */
import { bytesOfType } from '../../sae/spec/shardTypes.ts';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hookPointsOf } from '../../sae/models/hookPoints.ts';
import { hookWidth } from '../../sae/models/hookWidth.ts';
import { contextsAtOnce } from '../../sae/labels/endpoint/prompts.ts';
import { openModelFiles } from '../../sae/models/openModelFiles.ts';
import type { TrainingConfig } from '../../sae/spec/architectures/architectures.ts';
import { matchingsDefaults, mostMapPoints, worthDefaults } from '../../sae/spec/comparisonDefaults.ts';
import { architectureOptions } from '../../sae/spec/jobs/architectureOptions.ts';
import type { JobFacts } from '../../sae/spec/jobs/cost.ts';
import type { JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import { languageModelTrainingDefaults } from '../../sae/spec/languageModelTrainingDefaults.ts';
import { comparisonKind } from '../../sae/spec/manifests/comparison.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { hooksIn } from '../../sae/spec/jointHook.ts';
import { trainingFields } from '../../sae/spec/trainingFields.ts';
import { defaultTrainingConfig } from '../../sae/training/defaults.ts';
import type { ServerContext } from '../context.ts';
import type { CaptureDetail } from '../contract/captures.ts';
import { getCapture } from './captures.ts';
import { runManifest } from './dictionaries.ts';
import { modelConfig } from './modelHooks.ts';
import { namedModelFolder } from './modelFolders.ts';
import { countParameters } from './models.ts';
import { fileStatus } from '../../sae/store/fileStatus.ts';

export type InputOf<Kind extends JobStartInput['kind']> = Extract<JobStartInput, { kind: Kind }>['options'];

/** Throws what the readers throw where something that the job names isn't there. */
export async function jobFacts(server: ServerContext, job: JobStartInput): Promise<JobFacts> {
  switch (job.kind) {
    case 'capture':
      return captureFacts(server, job.options);
    case 'train':
      return trainFacts(server, job.options);
    case 'evaluate': {
      const { run, seeds, maxTokens, lossTokens = 8192 } = job.options;
      const facts = await runFacts(server, await runManifest(server, run), seeds);
      return { ...facts, tokens: Math.min(facts.tokens ?? Infinity, maxTokens ?? Infinity), lossTokens };
    }
    case 'probe': {
      const { run, seeds, text, documents = 500, contextLength = 128, words = 5000 } = job.options;
      const facts = await runFacts(server, await runManifest(server, run), seeds);
      // How many classes there are is not known before the text is read; two are the least.
      return { ...facts, tokens: words, lossTokens: text === undefined ? 0 : 2 * documents * contextLength };
    }
    case 'index':
      return runFacts(server, await runManifest(server, job.options.run), job.options.seeds);
    case 'compare': {
      const { a, maxTokens = 32_768 } = job.options;
      const facts = await runFacts(server, await runManifest(server, a.run), [a.seed]);
      return { ...facts, tokens: Math.min(facts.tokens ?? Infinity, maxTokens) };
    }
    case 'sparsity': {
      const { model, maxTokens = 65_536, interventions = true, interventionTokens = 4096 } = job.options;
      return {
        ...(await modelFacts(server, model)),
        tokens: maxTokens,
        lossTokens: interventions ? interventionTokens : 0,
      };
    }
    case 'label':
      return labelFacts(server, job.options);
    case 'map':
      return mapFacts(server, job.options);
    case 'reproducibility':
      return reproducibilityFacts(server, job.options);
    case 'matchings':
      return matchingsFacts(server, job.options);
    case 'lmTrain':
      return languageModelFacts(job.options);
    case 'import':
      return { bytes: bytesBelow(server.store.imported(job.options.path)) };
    case 'export': {
      const { run, seed } = job.options.dictionary;
      await runManifest(server, run);
      return { bytes: statSync(server.store.dictionary(run, seed)).size };
    }
    default:
      return {};
  }
}

async function modelFacts(server: ServerContext, model: string): Promise<JobFacts> {
  const folder = namedModelFolder(server.modelFolders, model);
  if (!folder) return {};
  return {
    parameters: countParameters(await openModelFiles(folder).weights()),
    vocabulary: modelConfig(server, model).vocabularySize,
  };
}

/** Tokens of a whole text are not known before it is read. */
async function captureFacts(server: ServerContext, options: InputOf<'capture'>): Promise<JobFacts> {
  const { model, hooks, maxTokens, dtype = 'float16' } = options;
  const config = modelConfig(server, model);
  const known = hookPointsOf(config).filter((hook) => hooks.includes(hook));
  return {
    ...(await modelFacts(server, model)),
    ...(maxTokens !== undefined && { tokens: maxTokens }),
    ...(known.length === hooks.length && {
      hookWidths: known.reduce((sum, hook) => sum + hookWidth(config, hook), 0),
    }),
    bytesPerValue: bytesOfType[dtype],
  };
}

/** Held-out rows of the capture, and its model, for whatever reads them. */
async function captureRows(server: ServerContext, capture: CaptureDetail): Promise<JobFacts> {
  const { contextLength, firstPosition, heldOutContexts } = capture.manifest;
  return {
    ...(await modelFacts(server, capture.model)),
    tokens: heldOutContexts * (contextLength - firstPosition),
  };
}

/** Of some seeds of a run, or all; the tokens are the held-out rows of its capture. */
export async function runFacts(
  server: ServerContext,
  { config, d }: Pick<RunManifest, 'config' | 'd'>,
  seeds: readonly number[] | undefined,
): Promise<JobFacts> {
  const capture = await getCapture(server, config.capture);
  return {
    ...(await captureRows(server, capture)),
    rows: capture.rows,
    d,
    latents: config.width,
    seeds: (seeds ?? config.seeds).length,
  };
}

/** Latents that an endpoint has labelled before are not asked about again, which makes this the most that it can come to. */
async function labelFacts(server: ServerContext, options: InputOf<'label'>): Promise<JobFacts> {
  const { run, seed, method = 'data', top, latents, yes, requestsPerMinute = 60 } = options;
  const manifest = await runManifest(server, run);
  const facts = await runFacts(server, manifest, seed);
  const { width } = manifest.config;
  const chosen = latents?.length ?? Math.min(top ?? width, width);
  const asked = method === 'endpoint' && yes === true ? requestsALatent(options.scoredContexts ?? 20) : 0;
  const labelled = chosen * (facts.seeds ?? 1);
  // Nothing is encoded for what is read from files.
  const tokens = method === 'neuronpedia' ? 0 : facts.tokens;
  return { ...facts, tokens, labelled, requests: asked * labelled, requestsPerMinute };
}

/** One for the label, and two scores of which half the contexts are active, some contexts a request. */
function requestsALatent(scoredContexts: number): number {
  return 1 + 2 * Math.ceil((2 * Math.floor(scoredContexts / 2)) / contextsAtOnce);
}

async function mapFacts(server: ServerContext, options: InputOf<'map'>): Promise<JobFacts> {
  const path = server.store.comparisonManifest(options.comparison);
  const { a, b } = await server.manifests.read(path, comparisonKind);
  const sides = await Promise.all([a, b].map(({ run }) => runManifest(server, run)));
  const all = sides.map(({ config }) => config.width);
  // Every n-th latent of each is placed.
  const stride = Math.max(1, Math.ceil((all[0] + all[1]) / (options.points ?? mostMapPoints)));
  const points = Math.ceil(all[0] / stride) + Math.ceil(all[1] / stride);
  return { d: sides[0].d, latents: Math.max(...all), points };
}

async function reproducibilityFacts(
  server: ServerContext,
  options: InputOf<'reproducibility'>,
): Promise<JobFacts> {
  const { worth = false, maxTokens, lossTokens, draws } = options;
  const manifest = await runManifest(server, options.run);
  const facts = await runFacts(server, manifest, undefined);
  const usual = worthDefaults;
  return {
    ...facts,
    tokens: worth ? Math.min(facts.tokens ?? Infinity, maxTokens ?? usual.maxTokens) : 0,
    lossTokens: worth ? (lossTokens ?? usual.lossTokens) : 0,
    // Each grouping takes ten groups out and keeps them alone; some features are taken out one by one.
    modelRuns: worth
      ? 20 * (1 + (draws ?? usual.draws)) + usual.sample / Math.max(1, manifest.config.seeds.length)
      : 0,
  };
}

/** A feature whose predictions are compared is taken out, and stands beside its counterparts of eight methods and two others, of which some are the same. */
const runsOfFeature = 14;

async function matchingsFacts(server: ServerContext, options: InputOf<'matchings'>): Promise<JobFacts> {
  const { run, against, predictions = true } = options;
  const usual = matchingsDefaults;
  const manifest = await runManifest(server, run);
  const facts = await runFacts(server, manifest, undefined);
  const { contextLength } = (await getCapture(server, manifest.config.capture)).manifest;
  const { seeds, width } = manifest.config;
  const own = (seeds.length * (seeds.length - 1)) / 2;
  const other = against === undefined ? null : (await runManifest(server, against)).config;
  const across = other ? seeds.length * other.seeds.length : 0;
  return {
    ...facts,
    seeds: own + across,
    // As wide as dictionaries of one width would be for as many cosines.
    latents: Math.sqrt((own * width ** 2 + across * width * (other?.width ?? 0)) / (own + across)),
    tokens: Math.min(facts.tokens ?? Infinity, options.maxTokens ?? usual.maxTokens),
    modelRuns: predictions ? own * (options.sample ?? usual.sample) * runsOfFeature : 0,
    lossTokens: (options.contexts ?? usual.contexts) * contextLength,
  };
}

/** The configuration that a training would have, with everything that was left out; null while its hook point isn't known. */
export async function configurationOf(
  server: ServerContext,
  options: InputOf<'train'>,
): Promise<{ config: TrainingConfig; d: number } | null> {
  const { architecture, capture: name, seeds, width, ...given } = options;
  const { hooks, manifest } = await getCapture(server, name);
  const hook = given.hook ?? (hooks.length === 1 ? hooks[0].hook : undefined);
  if (hook === undefined) return null;
  const widths = hooksIn(hook).map((own) => hooks.find((one) => one.hook === own)?.width ?? NaN);
  const d = widths.reduce((sum, own) => sum + own, 0);
  if (Number.isNaN(d)) return null;
  const { contexts, heldOutContexts, contextLength, firstPosition } = manifest;
  const rows = (contexts - heldOutContexts) * (contextLength - firstPosition);
  // Options that say how it is started are no settings.
  const settings = Object.fromEntries(
    Object.entries(given).filter(([option]) => option in trainingFields || option in architectureOptions),
  );
  const config = defaultTrainingConfig(architecture, {
    ...settings,
    ...(seeds && { seeds }),
    ...(width !== undefined && { width }),
    capture: name,
    hook,
    d,
    tokens: given.tokens ?? 4 * rows,
  });
  return { config, d };
}

/** Of a training with these options. */
async function trainFacts(server: ServerContext, options: InputOf<'train'>): Promise<JobFacts> {
  const found = await configurationOf(server, options);
  if (!found) return {};
  const { config, d } = found;
  return { tokens: config.tokens, d, latents: config.width, seeds: config.seeds.length };
}

/** A block has four matrices for attention and two or, gated, three for the MLP; the embedding is read at the end again. */
function languageModelFacts(options: InputOf<'lmTrain'>): JobFacts {
  const usual = languageModelTrainingDefaults;
  const { d = usual.d, layers = usual.layers, neurons = usual.neurons } = options;
  const { vocabulary = usual.vocabularySize, steps = usual.steps, batchSize = usual.batchSize } = options;
  const { contextLength = usual.contextLength, family = usual.family } = options;
  const matrices = family === 'llama' ? 3 : 2;
  const contextTokens = batchSize * contextLength;
  return {
    tokens: steps * contextTokens,
    parameters: layers * (4 * d * d + matrices * d * neurons) + vocabulary * d,
    vocabulary,
    // Of a step: what each block keeps for its gradient, and the logits with theirs.
    bytes: 4 * contextTokens * (layers * (10 * d + 3 * neurons) + 3 * vocabulary),
  };
}

function bytesBelow(path: string): number {
  const found = fileStatus(path);
  if (!found) return NaN;
  if (!found.isDirectory()) return found.size;
  return readdirSync(path).reduce((sum, name) => sum + bytesBelow(join(path, name)), 0);
}
