/**
 * What masking neurons costs: PPL-p %, the trade-off of every method, robustness and calibration, all in true
 * perplexity on the same contexts.
 */
import { LazyscopeError } from '../../errors.ts';
import { finiteOrNull } from '../../numerics/finiteOrNull.ts';
import type { LanguageModel } from '../../models/languageModel.ts';
import { silent, type Report } from '../../progress.ts';
import type { SparsityReport } from '../../spec/manifests/sparsityReport.ts';
import { evaluateIntervention, type EvaluationText, type MeasuredIntervention } from './intervention.ts';
import { mlpMatrices, multiplyAdds, savedMultiplyAdds, sparedShares } from './multiplyAdds.ts';
import { pplP } from './pplP.ts';
import { measureRobustness } from './robustness.ts';
import type { SampledLayer } from './sampledLayer.ts';
import {
  lowRanks,
  planTradeoff,
  MaskingThresholds,
  tradeoffMethods,
  type PlannedPoint,
  type TradeoffMethod,
} from './tradeoff.ts';

export interface InterventionOptions {
  /** Tokens that perplexity is measured on, spread over the text. */
  tokens: number;
  /** Masking methods to measure; all of them when left out. */
  methods?: readonly TradeoffMethod[] | undefined;
  /** Whether to measure robustness to token noise too; true when left out. */
  robustness?: boolean | undefined;
  report?: Report | undefined;
  signal?: AbortSignal | undefined;
}

export type InterventionReport = NonNullable<SparsityReport['interventions']>;

const percentages = [0.1, 1, 5, 10];
const noises = [0, 0.05, 0.1, 0.2];
/** The robustness test keeps all neurons, and these shares of the mean number of neurons that fire on a token. */
const robustShares = [1, 0.5, 0.25];
const batchTokens = 2048;

/** Measures all methods. `samples` [layers] are for MaskingThresholds; contexts are [contexts · seq]. Throws 'cancelled'. */
export async function measureInterventions(
  model: LanguageModel,
  samples: readonly SampledLayer[],
  { contexts, seq }: { contexts: Int32Array; seq: number },
  {
    tokens,
    methods = tradeoffMethods,
    robustness: noisy = true,
    report = silent,
    signal,
  }: InterventionOptions,
): Promise<InterventionReport> {
  const text: EvaluationText = { contexts: spread(contexts, seq, tokens), seq, batchTokens };
  const stage = `masking neurons of ${model.name}`;
  let done = 0;
  const masking = new MaskingThresholds(model, samples);
  try {
    if (methods.includes('rsparse'))
      samples.forEach((_, layer) => masking.decompose(layer, Math.max(...lowRanks(model.config.d))));
    const gates: number[] = [];
    const whole = evaluateIntervention(model, text, { rule: ({ act }) => sampleInto(gates, act) });
    const plan = planTradeoff(masking, Float32Array.from(gates)).filter(({ method }) =>
      methods.includes(method),
    );
    const step = async <T>(work: () => T): Promise<T> => {
      if (signal?.aborted) throw new LazyscopeError('cancelled', `Stopped while doing: ${stage}.`);
      const result = work();
      report({ stage, done: Math.min(++done, plan.length), total: plan.length, unit: 'methods' });
      // Lets a signal through between two evaluations, which block.
      await new Promise((next) => setImmediate(next));
      return result;
    };
    const tradeoff = [point(model, seq, { method: 'none', knownFrom: 'value' }, whole)];
    for (const planned of plan) {
      const { intervention } = planned;
      const measured = await step(() => evaluateIntervention(model, text, intervention));
      tradeoff.push(point(model, seq, planned, measured));
    }
    const atCett = (cett: number) => evaluateIntervention(model, text, masking.cett(cett));
    const points = await step(() => pplP(atCett, whole.perplexity, percentages));
    const { neurons } = model.config;
    const active = masking.activeRatio();
    const ks = [neurons, ...robustShares.map((share) => Math.max(1, Math.round(share * active * neurons)))];
    const robustness = noisy
      ? await step(() => measureRobustness(model, text, [...new Set(ks)], noises))
      : [];
    return {
      tokens: text.contexts.length,
      perplexity: whole.perplexity,
      multiplyAdds: multiplyAdds(model.config, seq),
      pplP: points,
      tradeoff,
      robustness,
    };
  } finally {
    masking.dispose();
  }
}

function point(
  { config }: LanguageModel,
  seq: number,
  planned: Pick<PlannedPoint, 'knownFrom' | 'drawn' | 'rank'> & {
    method: string;
    setting?: string;
    value?: number;
  },
  { sparsity, sparsityByLayer, closedByLayer, perplexity }: MeasuredIntervention,
): InterventionReport['tradeoff'][number] {
  const { method, setting, value, rank, knownFrom, drawn } = planned;
  const { mlpLayer, mlp, total } = multiplyAdds(config, seq);
  const layers = sparsityByLayer.map((masked, layer) => ({
    masked,
    closed: closedByLayer[layer],
    knownFrom,
    ...(drawn === undefined ? {} : { drawn }),
  }));
  const savedByLayer = layers.map((layer) => savedMultiplyAdds(config, layer, rank));
  const shares = layers.map((layer) => sparedShares(config, layer));
  const saved = savedByLayer.reduce((a, b) => a + b, 0);
  return {
    method,
    ...(setting === undefined ? {} : { setting, value }),
    ...(rank === undefined ? {} : { rank }),
    sparsity,
    perplexity: finiteOrNull(perplexity),
    sparsityByLayer,
    savedByLayer: savedByLayer.map((each) => each / mlpLayer),
    savedOfMlp: saved / mlp,
    savedOfAll: saved / total,
    sparedOf: Object.fromEntries(
      mlpMatrices
        .filter((matrix) => shares[0][matrix] !== undefined)
        .map((matrix) => [matrix, shares.reduce((sum, each) => sum + each[matrix]!, 0) / shares.length]),
    ),
  };
}

/** About `tokens` tokens of the text, as whole contexts spread evenly over it. */
function spread(contexts: Int32Array, seq: number, tokens: number): Int32Array {
  const all = contexts.length / seq;
  const count = Math.max(1, Math.min(all, Math.floor(tokens / seq)));
  const chosen = new Int32Array(count * seq);
  for (let c = 0; c < count; c++) {
    const from = Math.floor((c * all) / count) * seq;
    chosen.set(contexts.subarray(from, from + seq), c * seq);
  }
  return chosen;
}

/** Keeps every 37th value, up to about 400,000, so that memory does not grow with the text. */
function sampleInto(kept: number[], values: Float32Array): void {
  const stride = 37;
  if (kept.length > 400_000) return;
  for (let at = kept.length % stride; at < values.length; at += stride) kept.push(values[at]);
}
