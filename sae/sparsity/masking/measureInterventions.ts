/**
 * What masking neurons costs: PPL-p %, the trade-off of every method, robustness and calibration, all in true
 * perplexity on the same contexts.
 */
import { finiteOrNull } from '../../numerics/finiteOrNull.ts';
import type { LanguageModel } from '../../models/languageModel.ts';
import type { SparsityReport } from '../../spec/manifests/sparsityReport.ts';
import {
  evaluateIntervention,
  type Advance,
  type EvaluationText,
  type Intervention,
  type MeasuredIntervention,
} from './intervention.ts';
import { mlpMatrices, multiplyAdds, savedMultiplyAdds, sparedShares } from './multiplyAdds.ts';
import type { MlpBatch } from './maskingRule.ts';
import { pplP, pplPEvaluations } from './pplP.ts';
import { Reliability } from './reliability.ts';
import { measureRobustness } from './robustness.ts';
import { passContexts } from '../passSize.ts';
import type { SampledLayer } from './sampledLayer.ts';
import {
  lowRanks,
  planTradeoff,
  settings,
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
  /** Told the work that has been done, in tokens through the model; it may throw to stop. */
  advance?: Advance | undefined;
  /** Told the work in the same unit that interventionWork counts and that turned out not to be needed. */
  spare?: ((tokens: number) => void) | undefined;
}

export type InterventionReport = NonNullable<SparsityReport['interventions']>;

const percentages = [0.1, 1, 5, 10];
const noises = [0, 0.05, 0.1, 0.2];
/** The robustness test keeps all neurons, and these shares of the mean number of neurons that fire on a token. */
const robustShares = [1, 0.5, 0.25];
const batchTokens = 2048;
/** A pass in which neurons are masked, in the time of one without. */
const maskedPass = 1.1;

/** Measures all methods. `samples` [layers] are for MaskingThresholds; contexts are [contexts · seq]. Throws 'cancelled'. */
export async function measureInterventions(
  model: LanguageModel,
  samples: readonly SampledLayer[],
  { contexts, seq }: { contexts: Int32Array; seq: number },
  {
    tokens,
    methods = tradeoffMethods,
    robustness: noisy = true,
    advance = async () => {},
    spare = () => {},
  }: InterventionOptions,
): Promise<InterventionReport> {
  const text = evaluationText(model, contexts, seq, tokens);
  const passed = (count: number) => advance(count * maskedPass);
  const sparePasses = (passes: number) => spare(passes * maskedPass * text.contexts.length);
  const masking = new MaskingThresholds(model, samples);
  try {
    if (methods.includes('rsparse'))
      for (const layer of samples.keys()) {
        masking.decompose(layer, Math.max(...lowRanks(model.config.d)));
        await advance(decompositionWork(model, seq));
      }
    const ks = robustKs(model, masking);
    const known = new Map<number, { crossEntropy: number; reliability: Reliability }>();
    // The passes without noise are points of the trade-off too, which are not measured again.
    const evaluate = async (intervention: Intervention, k?: number) => {
      const reliability = noisy && k !== undefined && ks.includes(k) ? new Reliability() : undefined;
      const measured = await evaluateIntervention(model, text, intervention, {
        advance: passed,
        reliability,
      });
      if (reliability && k !== undefined) known.set(k, { crossEntropy: measured.crossEntropy, reliability });
      return measured;
    };
    const gates: number[] = [];
    const whole = await evaluate({ rule: (batch) => sampleInto(gates, batch) }, model.config.neurons);
    const plan = planTradeoff(masking, Float32Array.from(gates)).filter(({ method }) =>
      methods.includes(method),
    );
    sparePasses(tradeoffPasses(methods, model.config.d) - plan.length);
    const tradeoff = [point(model, seq, { method: 'none', knownFrom: 'value' }, whole)];
    const byCett = new Map<number, MeasuredIntervention>();
    for (const planned of plan) {
      const k = planned.method === 'topk' ? planned.value : undefined;
      const measured = await evaluate(planned.intervention, k);
      if (planned.method === 'cett') byCett.set(planned.value, measured);
      tradeoff.push(point(model, seq, planned, measured));
    }
    let evaluations = 0;
    const atCett = (cett: number) => {
      evaluations++;
      return evaluate(masking.cett(cett));
    };
    const points = await pplP(atCett, whole.perplexity, percentages, byCett);
    sparePasses(pplPEvaluations(percentages) - evaluations);
    if (noisy) sparePasses(noises.length * (1 + robustShares.length - ks.length) + known.size);
    const robustness = noisy
      ? await measureRobustness(model, text, ks, noises, { advance: passed, known })
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

/** All neurons, and shares of those that fire on a token. */
function robustKs({ config }: LanguageModel, masking: MaskingThresholds): number[] {
  const active = masking.activeRatio();
  const shares = robustShares.map((share) => Math.max(1, Math.round(share * active * config.neurons)));
  return [...new Set([config.neurons, ...shares])];
}

/** The most work that measureInterventions can be, in the unit of `advance`. */
export function interventionWork(
  model: LanguageModel,
  { contexts, seq }: { contexts: Int32Array; seq: number },
  {
    tokens,
    methods = tradeoffMethods,
    robustness = true,
  }: Pick<InterventionOptions, 'tokens' | 'methods' | 'robustness'>,
): number {
  const { d, layers } = model.config;
  const passes =
    1 +
    tradeoffPasses(methods, d) +
    pplPEvaluations(percentages) +
    (robustness ? noises.length * (1 + robustShares.length) : 0);
  const decompositions = methods.includes('rsparse') ? layers * decompositionWork(model, seq) : 0;
  return passes * maskedPass * evaluationText(model, contexts, seq, tokens).contexts.length + decompositions;
}

/** The most points that are planned. */
function tradeoffPasses(methods: readonly TradeoffMethod[], d: number): number {
  return methods.reduce((sum, method) => sum + settings(method, d), 0);
}

/** R-Sparse's decomposition of one layer, which is computed on the host: about 2·d³ multiply-adds of some 60 times the cost. */
function decompositionWork({ config }: LanguageModel, seq: number): number {
  return (60 * 2 * config.d ** 3) / multiplyAdds(config, seq).total;
}

function evaluationText(
  model: LanguageModel,
  contexts: Int32Array,
  seq: number,
  tokens: number,
): EvaluationText {
  const chosen = spread(contexts, seq, tokens);
  const most = Math.max(1, Math.floor(batchTokens / seq));
  return { contexts: chosen, seq, batchTokens: seq * passContexts(model, seq, most) };
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

/** Keeps every 37th value of act(·), up to about 400,000, so that memory does not grow with the text. */
function sampleInto(kept: number[], batch: MlpBatch): void {
  const stride = 37;
  if (kept.length > 400_000) return;
  const { act } = batch;
  for (let at = kept.length % stride; at < act.length; at += stride) kept.push(act[at]);
}
