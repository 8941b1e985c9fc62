/** Times what `lazyscope matchings` does with one pair of dictionaries, stage by stage, on a pair whose counterparts are known. */
import { autoencoderFrom } from '../../sae/autoencoders/autoencoder.ts';
import { judgePair, type JudgeOptions } from '../../sae/comparison/matchings/judgePair.ts';
import { summarisePair } from '../../sae/comparison/matchings/summariseMatchings.ts';
import { unitRows } from '../../sae/comparison/directions.ts';
import { relatedDictionaries } from '../../sae/comparison/relatedDictionaries.ts';
import { LazyscopeError } from '../../sae/errors.ts';
import { Random } from '../../sae/numerics/random.ts';
import type { Report } from '../../sae/progress.ts';
import { pairedUp } from './pairedUp.ts';
import { StageTimes } from './stageTimes.ts';

export interface MatchingsBenchmark {
  latents: number;
  d: number;
  /** Held-out rows of activations. */
  tokens: number;
  signal?: AbortSignal;
}

/** Latents that make an activation, and that each dictionary's TopK keeps: so few that what they have in common does not drown them. */
const k = 8;
const near = 0.7;

/**
 * Without a model: what predictions take depends on it alone. Throws 'unavailable' where the transport does not find the planted counterparts, because then
 * its time means nothing.
 */
export async function benchMatchings({ latents, d, tokens, signal }: MatchingsBenchmark, report: Report) {
  report({ stage: 'make dictionaries', done: 0, total: latents, unit: 'latents' });
  const pair = relatedDictionaries('trained', { latents, d });
  const [a, b] = [pair.a, pair.b].map(({ wDec, wEnc }) => ({
    wDec: unitRows({ rows: latents, d, data: wDec }, 'a dictionary').data,
    wEnc: unitRows({ rows: latents, d, data: wEnc }, 'a dictionary').data,
  }));
  const decoder = pairedUp(
    { rows: latents, d, data: a.wDec },
    { rows: latents, d, data: b.wDec },
    pair.planted,
  );
  const encoder = { match: decoder.match, cosine: decoder.cosine };
  const rows = madeOf(a.wDec, { latents, d, tokens });
  const dictionaries = [a, b].map((own, seed) =>
    autoencoderFrom({
      metadata: { architecture: 'topk', hook, model: 'made up', run: 'made up', seed, scale: 1, k },
      latents,
      d,
      ...own,
      // Below what members of a family have in common, so that reconstructions do not overshoot.
      bEnc: new Float32Array(latents).fill(-0.4),
      bDec: new Float32Array(d),
      threshold: null,
    }),
  );
  const times = new StageTimes();
  const started = performance.now();
  try {
    const judged = await judgePair({
      a: { name: 'a', autoencoder: dictionaries[0] },
      b: { name: 'b', autoencoder: dictionaries[1] },
      assignment: { decoder, encoder },
      rows,
      hook,
      tokens,
      epsilon: 0.03,
      rho: 0.5,
      threshold: near,
      functions: null,
      report: times.report(report, (stage) => stage.replace('a and b: ', '')),
      signal,
    });
    times.ended('matchings and negatives');
    const { methods } = summarisePair(judged);
    times.ended('quality and coverage');
    const there = [...pair.planted.keys()].filter((i) => pair.planted[i] >= 0 && decoder.cosine[i] >= near);
    const found = there.filter((i) => judged.matchings.transport.match[i] === pair.planted[i]);
    const result = {
      /** Share of the planted counterparts with a cosine above 0.7 to which the transport sends the most. */
      recovered: found.length / there.length,
      judged: judged.live.length,
      area: methods.get('transport')!.reconstruction.area,
      iterations: judged.iterations,
      change: judged.change,
      flows: judged.forward.flows.length + judged.backward.flows.length,
      stages: times.stages,
      seconds: (performance.now() - started) / 1000,
      cpuSeconds: times.total,
      peakRssMb: process.resourceUsage().maxRSS / 1024,
    };
    if (result.recovered < 0.9)
      throw new LazyscopeError(
        'unavailable',
        `The transport is wrong for planted pairs: ${JSON.stringify(result)}.`,
      );
    return result;
  } finally {
    for (const dictionary of dictionaries) dictionary.dispose();
  }
}

const hook = 'blocks.0.hook_resid_post';

/** Sums of k rows of the dictionary, drawn so that some occur a hundred times as often as others, with strengths of 0.8 to 1.2. */
function madeOf(
  wDec: Float32Array,
  { latents, d, tokens }: { latents: number; d: number; tokens: number },
): JudgeOptions['rows'] {
  const random = Random.fromSeed(0, 'activations');
  const data = new Float32Array(tokens * d);
  for (let row = 0; row < tokens; row++)
    for (let n = 0; n < k; n++) {
      const from = Math.floor(latents * random.uniform() ** 2) * d;
      const strength = 0.8 + 0.4 * random.uniform();
      for (let j = 0; j < d; j++) data[row * d + j] += strength * wDec[from + j];
    }
  return { trainRows: 0, readRows: (_hook, start, count) => data.slice(start * d, (start + count) * d) };
}
