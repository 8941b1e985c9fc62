/**
 * Measures the models that are trained, on text none of them saw, and writes results.json beside this file:
 * `npx tsx scripts/studies/lazyNeurons/measure.ts --data DIR`.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readText } from '../../../sae/tokens/readText.ts';
import { startBackend } from '../../../sae/backends/startBackend.ts';
import { activationFunction } from '../../../sae/models/activationFunctions/activationFunctions.ts';
import { loadLanguageModel } from '../../../sae/models/loadLanguageModel.ts';
import { fitLaw, type FittedLaw } from '../../../sae/sparsity/emergence/fitLaw.ts';
import { measureSparsity, packContexts } from '../../../sae/sparsity/measureSparsity.ts';
import { predictionDifference } from '../../../sae/sparsity/masking/predictionDifference.ts';
import { writeJsonAtomic } from '../../../sae/store/atomicWrite.ts';
import { StoreLayout } from '../../../sae/store/layout.ts';
import { sparsityReportKind } from '../../../sae/spec/manifests/sparsityReport.ts';
import { readManifest } from '../../../sae/store/readManifest.ts';
import { budget, seeds, studiedModels, type StudiedModel } from './plan.ts';
import type { StudyResult, StudyResults } from './results.ts';

const text = 'dataset:moby-dick';
const maxTokens = 16_384;
const interventionTokens = 4096;

const { values } = parseArgs({ options: { data: { type: 'string' } } });
if (!values.data) {
  console.error('lazyscope: give the folder of the trained models: --data DIR.');
  process.exit(2);
}
const store = new StoreLayout(values.data);
const backend = await startBackend('auto');
const documents = await readText(text);
const trained = studiedModels().filter(({ name }) =>
  existsSync(join(store.model(name), 'model.safetensors')),
);

const results: StudyResult[] = [];
for (const studied of trained) {
  results.push(await measure(studied));
  console.error(`${studied.name}: measured`);
}
const differences = [];
for (const { variant, group } of trained.filter(({ config }) => config.seed === seeds[0])) {
  const pair = seeds.map((seed) => trained.find((m) => m.variant === variant && m.config.seed === seed));
  const [a, b] = pair;
  if ((group !== 'activation' && group !== 'longer') || !a || !b) continue;
  const [first, second] = [
    await loadLanguageModel(store.model(a.name)),
    await loadLanguageModel(store.model(b.name)),
  ];
  const seq = budget.contextLength;
  const contexts = await packContexts({ model: first, text: documents, maxTokens: interventionTokens }, seq);
  differences.push({ variant, ...predictionDifference(first, second, contexts, seq) });
  first.dispose();
  second.dispose();
}
const path = join(import.meta.dirname, 'results.json');
await writeJsonAtomic(path, {
  text,
  tokens: maxTokens,
  interventionTokens,
  backend: backend.name,
  models: results,
  differences,
} satisfies StudyResults);
console.error(`Wrote ${path}.`);

async function measure({ name, variant, group, config }: StudiedModel): Promise<StudyResult> {
  const model = await loadLanguageModel(store.model(name));
  const done = existsSync(store.sparsityReport(name));
  const report = done
    ? await readManifest(store.sparsityReport(name), sparsityReportKind)
    : await measureSparsity({
        store,
        name,
        model,
        text: documents,
        maxTokens,
        interventionTokens,
        methods: ['cett'],
        robustness: false,
      });
  const parameters = model.parameterCount();
  const { activation, gated } = model.config;
  model.dispose();
  const training = JSON.parse(readFileSync(join(store.model(name), 'training.json'), 'utf8')) as Training;
  const mean = (pick: (layer: (typeof report.layers)[number]) => number) =>
    report.layers.reduce((sum, layer) => sum + pick(layer), 0) / report.layers.length;
  const middle = Math.floor(report.thresholds.length / 2);
  const { pplP = [], tradeoff = [], perplexity = Number.NaN } = report.interventions ?? {};
  const observations = training.observations.map(({ tokens, layers }) => ({
    tokens,
    activationRatio: layers.reduce((sum, layer) => sum + layer.activationRatio, 0) / layers.length,
    ratioAt: layers.reduce((sum, layer) => sum + layer.ratioAt[middle], 0) / layers.length,
  }));
  const { exactZeros } = activationFunction(activation);
  return {
    variant,
    group,
    seed: config.seed ?? 0,
    activation,
    gated,
    parameters,
    trainingTokens: (config.steps ?? budget.steps) * budget.batchSize * budget.contextLength,
    seconds: training.seconds,
    validationLoss: training.validationLoss,
    crossEntropy: report.crossEntropy!,
    perplexity,
    activationRatio: mean((layer) => layer.activationRatio),
    activationRatioByLayer: report.layers.map((layer) => layer.activationRatio),
    ratioAt: mean((layer) => layer.ratioAt[middle]),
    ratioAtCett: mean((layer) => layer.ratioAtCett),
    deadRate: mean((layer) => layer.deadRate),
    dynamicDeadRate: mean((layer) => layer.dynamicDeadRate),
    attentionOverload: mean((layer) => layer.attentionOverload ?? 0),
    spaceFolding: mean((layer) => layer.spaceFolding ?? 0),
    inputAlignment: report.depth?.at(-1)?.inputAlignment ?? null,
    targetAlignment: report.depth?.at(-1)?.targetAlignment ?? null,
    pplP,
    tradeoff: tradeoff.map(({ method, rank, sparsity, perplexity: cost }) => ({
      method,
      ...(rank === undefined ? {} : { rank }),
      sparsity,
      perplexity: cost ?? Number.POSITIVE_INFINITY,
    })),
    observations,
    law: law(exactZeros, observations),
  };
}

interface Training {
  validationLoss: number;
  seconds: number;
  observations: { tokens: number; layers: { activationRatio: number; ratioAt: number[] }[] }[];
}

function law(exactZeros: boolean, observations: StudyResult['observations']): FittedLaw | null {
  const after = observations.filter(({ tokens }) => tokens > 0);
  if (after.length < 5) return null;
  return fitLaw(
    exactZeros ? 'logspace-power' : 'power',
    after.map(({ tokens }) => tokens),
    after.map((each) => (exactZeros ? each.activationRatio : each.ratioAt)),
  );
}
