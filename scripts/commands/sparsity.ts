/** `lazyscope sparsity`: how lazy the neurons of a model are on a text, and what masking them costs. */
import { LazyscopeError } from '../../sae/errors.ts';
import type { CommandOptionsOf } from '../../sae/spec/jobs/jobs.ts';
import { layerMetricNames, layerMetricOf } from '../../sae/spec/layerMetrics/layerMetrics.ts';
import { namePattern } from '../../sae/spec/names.ts';
import type { SparsityReport } from '../../sae/spec/manifests/sparsityReport.ts';
import { slug } from './capture.ts';
import { loadModel } from '../commandLine/models.ts';
import { openGivenText } from '../commandLine/texts.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import type { Session } from '../commandLine/runCommand.ts';
import { figure, percent, table } from '../commandLine/table.ts';

type Options = CommandOptionsOf<'sparsity'>;

declare global {
  interface JobCommands {
    sparsity: typeof run;
  }
}

export const run: JobWork<'sparsity'> = async (session, given) => {
  const { measureSparsity } = await import('../../sae/sparsity/measureSparsity.ts');
  const { defaultInterventionTokens } = await import('../../sae/sparsity/passSize.ts');
  const text = await openGivenText(session.store, given);
  await session.startBackend();
  const model = await loadModel(session.store, given.model, given);
  const trained = given.replaceActivation === undefined ? undefined : await trainedActivation(session, given);
  const interventionTokens = given.interventionTokens ?? defaultInterventionTokens(model);
  const report = await measureSparsity({
    store: session.store,
    name: given.name ?? reportName(trained ? `${model.name}-as-${model.config.activation}` : model.name),
    model,
    text,
    maxTokens: given.maxTokens,
    ...(given.contextLength === undefined ? {} : { contextLength: given.contextLength }),
    ...(given.interventions && !model.config.encoder ? { interventionTokens } : {}),
    ...(given.methods === undefined ? {} : { methods: await methodsIn(given.methods) }),
    ...(trained ? { trainedActivation: trained } : {}),
    report: session.report,
    signal: session.signal,
  });
  const difference =
    given.against === undefined
      ? undefined
      : await compareWith(session, { ...given, interventionTokens }, model, text);
  return {
    document: {
      ...sparsityDocument(report),
      ...(difference ? { predictionDifference: difference } : {}),
    },
    text: [
      sparsityTable(report),
      ...(report.depth ? [`The residual stream by depth:`, depthTable(report.depth)] : []),
      ...(report.interventions
        ? [
            `What masking costs, on ${report.interventions.tokens} tokens:`,
            pplTable(report),
            tradeoffTable(report),
          ]
        : given.interventions && model.config.encoder
          ? [
              'The model is an encoder, which predicts no next token: what masking costs in perplexity is not defined.',
            ]
          : []),
      ...(difference
        ? [
            `Against ${given.against}: ${percent(difference.totalVariation)} of the probability elsewhere, another likeliest token in ${percent(difference.disagreement)} of the predictions.`,
          ]
        : []),
    ].join('\n\n'),
  };
};

/** The model's name, in letters that a folder of the store may have: GGUF files say names with spaces. */
function reportName(ofModel: string): string {
  return namePattern.test(ofModel) ? ofModel : slug(ofModel);
}

async function methodsIn(list: string) {
  const { tradeoffMethods } = await import('../../sae/sparsity/masking/tradeoff.ts');
  return list.split(',').map((name) => {
    const found = tradeoffMethods.find((method) => method === name.trim());
    if (!found)
      throw new LazyscopeError(
        'bad_input',
        `--methods: '${name.trim()}' is none; choose from ${tradeoffMethods.join(', ')}.`,
      );
    return found;
  });
}

/** The activation function that the model's config.json names, before the replacement. */
async function trainedActivation({ store }: Session, { model }: Options): Promise<string> {
  const whole = await loadModel(store, model);
  const { activation } = whole.config;
  whole.dispose();
  return activation;
}

async function compareWith(
  { store }: Session,
  given: Options & { interventionTokens: number },
  model: Awaited<ReturnType<typeof loadModel>>,
  text: Awaited<ReturnType<typeof openGivenText>>,
) {
  const { packContexts } = await import('../../sae/sparsity/measureSparsity.ts');
  const { predictionDifference } = await import('../../sae/sparsity/masking/predictionDifference.ts');
  const other = await loadModel(store, given.against!);
  const seq = given.contextLength ?? Math.min(128, model.config.contextLength, other.config.contextLength);
  const contexts = await packContexts({ model, text, maxTokens: given.interventionTokens }, seq);
  const difference = predictionDifference(model, other, contexts, seq);
  other.dispose();
  return { model: other.name, ...difference };
}

/** The report with its lists as objects, whose keys are the thresholds and the shares of masked neurons. */
export function sparsityDocument({ interventions, thresholds, layers, ...report }: SparsityReport) {
  return {
    ...report,
    thresholds,
    layers: layers.map(({ ratioAt, cettAtResting, ...layer }) => ({
      ...layer,
      ratioAt: Object.fromEntries(thresholds.map((threshold, i) => [threshold, ratioAt[i]])),
      cettAtRatio: Object.fromEntries((cettAtResting ?? []).map(({ resting, cett }) => [1 - resting, cett])),
    })),
    ...(interventions
      ? {
          pplP: interventions.pplP,
          tradeoff: interventions.tradeoff,
          robustness: interventions.robustness,
          perplexity: interventions.perplexity,
          multiplyAdds: interventions.multiplyAdds,
        }
      : {}),
  };
}

/** Beside each mean over tokens the median, which attention sinks leave as it is. */
function depthTable(depth: NonNullable<SparsityReport['depth']>): string {
  return table(
    ['hook', 'variance', 'median', 'mean²', 'median', 'CKA with the token read', 'with the next'],
    depth.map(({ hook, variance, medianVariance, meanSquared, medianMeanSquared, ...place }) => [
      hook,
      figure(variance),
      medianVariance === undefined ? null : figure(medianVariance),
      figure(meanSquared),
      medianMeanSquared === undefined ? null : figure(medianMeanSquared),
      place.inputAlignment === null ? null : figure(place.inputAlignment),
      place.targetAlignment === null ? null : figure(place.targetAlignment),
    ]),
  );
}

function pplTable({ interventions }: SparsityReport): string {
  return table(
    ['perplexity may rise by', 'CETT', 'active', 'perplexity'],
    interventions!.pplP.map(({ p, cett, ratio, perplexity }) => [
      `${p} %`,
      figure(cett),
      percent(ratio),
      figure(perplexity, 2),
    ]),
  );
}

/** Reports store the share of masked neurons under its first name, 'resting'. */
function settingName(stored: string): string {
  return stored === 'resting' ? 'masked' : stored;
}

function tradeoffTable({ interventions }: SparsityReport): string {
  return table(
    ['method', 'set', 'masked', 'perplexity', 'multiply-adds saved: MLP', 'whole model', 'of which matrices'],
    interventions!.tradeoff.map(({ method, setting, value, rank, ...point }) => [
      method + (rank === undefined ? '' : `, rank ${rank}`),
      setting === undefined ? '' : `${settingName(setting)} = ${Number(value?.toPrecision(3))}`,
      percent(point.sparsity),
      figure(point.perplexity, 2),
      percent(point.savedOfMlp),
      percent(point.savedOfAll),
      Object.entries(point.sparedOf ?? {})
        .filter(([, share]) => share > 0)
        .map(([matrix]) => matrix)
        .join(', '),
    ]),
  );
}

export function sparsityTable(report: SparsityReport): string {
  return table(
    ['layer', 'neurons', ...layerMetricNames.map((name) => layerMetricOf(name).label)],
    report.layers.map((layer) => [
      layer.layer,
      layer.neurons,
      ...layerMetricNames.map((name) => {
        const value = layer[name];
        if (value === undefined) return null;
        return layerMetricOf(name).format === 'percent' ? percent(value) : figure(value);
      }),
    ]),
  );
}
