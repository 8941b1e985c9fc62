/** Everything about one pair of dictionaries: its matchings, how good their pairs are, and where the transport sends each latent. */
import type { SelectedRows } from '../../activations/selectRows.ts';
import type { Capture } from '../../activations/openCapture.ts';
import type { Autoencoder, SparseCode } from '../../autoencoders/autoencoder.ts';
import type { HookPoint } from '../../models/hookPoints.ts';
import type { LanguageModel } from '../../models/languageModel.ts';
import { Random } from '../../numerics/random.ts';
import { pause } from '../../pause.ts';
import type { Report } from '../../progress.ts';
import { matchingMethodNames, type MatchingMethod } from '../../spec/matchingMethods.ts';
import { finishWithPauses } from '../../steps.ts';
import { tf } from '../../tensor/tf.ts';
import { candidateSteps, merge, pairsOfCandidates, type Candidates } from '../candidates.ts';
import type { Counterparts } from '../counterparts.ts';
import { unitRows } from '../directions.ts';
import { activationCandidateSteps } from './activationCandidates.ts';
import { firingLists, type FiringLists } from './firingLists.ts';
import { functionalTest, type FunctionalResult, type FunctionalTest } from './functionalTests.ts';
import { matchingsOf, type Matching } from './matchingMethods.ts';
import { closenessOf, expressedStates, sliceDirections } from './slicedWasserstein.ts';
import { sinkhornSteps, turned, type TransportPlan } from './sinkhorn.ts';
import { ErrorProducts, Substitution } from './substitution.ts';
import { transportFlows, type Flows } from './transportFlows.ts';

export interface JudgedDictionary {
  readonly name: string;
  readonly autoencoder: Autoencoder;
}

export interface JudgeOptions {
  readonly a: JudgedDictionary;
  readonly b: JudgedDictionary;
  /** The stored comparison's optimal matchings. */
  readonly assignment: { readonly decoder: Counterparts; readonly encoder: Counterparts };
  readonly rows: Pick<SelectedRows, 'trainRows' | 'readRows'>;
  readonly hook: HookPoint;
  /** Held-out rows. */
  readonly tokens: number;
  readonly epsilon: number;
  readonly rho: number;
  /** A latent is lost where nothing that a quarter of it goes to has this decoder cosine. */
  readonly threshold: number;
  /** What predictions are judged with; null to judge reconstruction alone. */
  readonly functions: JudgedFunctions | null;
  readonly report: Report;
  readonly signal: AbortSignal | undefined;
}

export interface JudgedFunctions {
  readonly model: LanguageModel;
  readonly capture: Capture;
  readonly rows: SelectedRows;
  /** Latents whose predictions are looked at, and contexts of each. */
  readonly sample: number;
  readonly contexts: number;
}

export interface JudgedLatent {
  readonly latent: number;
  /** A latent of b that is not the counterpart: the second nearest by decoder cosine, and one drawn among those as frequent; −1 for none. */
  readonly negatives: Readonly<Record<Negative, number>>;
  readonly result: FunctionalResult;
}

export type Negative = 'secondBest' | 'likeActivity';
export const negatives: readonly Negative[] = ['secondBest', 'likeActivity'];

export interface JudgedPair {
  readonly matchings: Record<MatchingMethod, Matching>;
  /** Latents of a that fire and are missed when they are taken out, the least frequent first. */
  readonly live: readonly number[];
  /** Tokens on which each latent of a fires. */
  readonly firings: Int32Array;
  readonly substitution: Substitution;
  readonly negativesOf: (latent: number) => Readonly<Record<Negative, number>>;
  readonly sampled: readonly JudgedLatent[];
  readonly forward: Flows;
  readonly backward: Flows;
  readonly iterations: number;
  readonly change: number;
}

const candidatesKept = 16;
const [slices, quantiles] = [24, 16];
const rowsAtOnce = 2048;
/** Latents of b nearest in density, of which one is drawn. */
const nearInDensity = 16;

export async function judgePair(options: JudgeOptions): Promise<JudgedPair> {
  const { a, b, assignment, tokens, epsilon, rho, report, signal } = options;
  const pair = `${a.name} and ${b.name}`;
  const told = (what: string, total: number, unit: string) => (done: number) =>
    report({ stage: `${pair}: ${what}`, done: Math.min(done, total), total, unit });
  const doing = 'comparing matchings';
  const directions = [a, b].map(({ name, autoencoder: { latents, d, wDec } }) =>
    unitRows({ rows: latents, d, data: wDec }, `the decoder of ${name}`),
  );
  const { candidates: decoder } = await finishWithPauses(
    candidateSteps(directions[0], directions[1], {
      perRow: candidatesKept,
      perColumn: candidatesKept,
      progress: told('candidates', a.autoencoder.latents, 'latents'),
    }),
    signal,
    doing,
  );
  const transport = (of: Candidates, what: string) =>
    finishWithPauses(
      sinkhornSteps(of, { epsilon, rho, maxIterations, progress: told(what, maxIterations, 'iterations') }),
      signal,
      doing,
    );
  const plan = await transport(decoder, 'transport');
  const read = await readRows(options, told('activations', tokens, 'tokens'));
  const similar = await finishWithPauses(
    activationCandidateSteps(read.firings.a, read.firings.b, {
      kept: candidatesKept,
      progress: told('activations of pairs', a.autoencoder.latents, 'latents'),
    }),
    signal,
    doing,
  );
  const projected = { slices, quantiles };
  const pooled = merge({ rows: decoder.rows, columns: decoder.columns }, [
    pairsOfCandidates(decoder),
    pairsOfCandidates(similar.correlation),
  ]);
  const states = closenessOf(
    pooled,
    expressedStates(read.firings.a, read.projected, projected),
    expressedStates(read.firings.b, read.projected, projected),
    Random.fromSeed(0, 'random pairs of latents'),
  );
  const statesPlan = await transport(states, 'transport of states');
  const matchings = matchingsOf({ decoder, plan, assignment, ...similar, states, statesPlan });
  const [ofA, ofB] = [a, b].map(({ autoencoder: { wDec, d } }, side) => ({
    wDec,
    d,
    firings: side === 0 ? read.firings.a : read.firings.b,
    products: side === 0 ? read.products.a : read.products.b,
  }));
  const substitution = new Substitution(ofA, ofB);
  const frequency = (firings: FiringLists) => (i: number) => firings.start[i + 1] - firings.start[i];
  const often = frequency(read.firings.a);
  const live = Array.from({ length: a.autoencoder.latents }, (_, i) => i)
    .filter((i) => often(i) > 0 && substitution.ablated[i] > 0)
    .sort((i, j) => often(i) - often(j) || i - j);
  const negativesOf = negativesFor(decoder, matchings.assignment, read.firings);
  await pause(signal, doing);
  const sampled = options.functions
    ? await testFunctions(options, options.functions, {
        live,
        matchings,
        negativesOf,
        firings: read.firings.a,
      })
    : [];
  const back = transposedPlan(decoder, plan);
  return {
    matchings,
    live,
    firings: Int32Array.from({ length: a.autoencoder.latents }, (_, i) => often(i)),
    substitution,
    negativesOf,
    sampled,
    forward: transportFlows(decoder, plan, options.threshold),
    backward: transportFlows(back.candidates, back.plan, options.threshold),
    iterations: plan.iterations,
    change: plan.change,
  };
}

const maxIterations = 2000;

/** One pass over the held-out rows: who fires when, hidden states along the slices, and Σ f e·d of both sides with the error of a. */
async function readRows({ a, b, rows, hook, tokens, signal }: JudgeOptions, told: (done: number) => void) {
  const [own, other] = [a.autoencoder, b.autoencoder];
  const { d } = own;
  const directions = tf.tensor2d(sliceDirections(slices, d, Random.fromSeed(0, 'slices')), [slices, d]);
  const codes: { a: SparseCode[]; b: SparseCode[] } = { a: [], b: [] };
  const products = { a: new ErrorProducts(own), b: new ErrorProducts(other) };
  const projected = new Float32Array(tokens * slices);
  try {
    for (let first = 0; first < tokens; first += rowsAtOnce) {
      const count = Math.min(rowsAtOnce, tokens - first);
      const x = tf.tensor2d(rows.readRows(hook, rows.trainRows + first, count), [count, d]);
      try {
        const [codeA, codeB] = [own.encode(x), other.encode(x)];
        codes.a.push(codeA);
        codes.b.push(codeB);
        const error = tf.tidy(() => x.sub(own.decode(codeA)).dataSync<'float32'>().slice());
        products.a.add(error, codeA);
        products.b.add(error, codeB);
        projected.set(
          tf.tidy(() => tf.matMul(x, directions, false, true).dataSync<'float32'>()),
          first * slices,
        );
      } finally {
        x.dispose();
      }
      told(first + count);
      await pause(signal, 'comparing matchings');
    }
  } finally {
    directions.dispose();
  }
  return {
    firings: { a: firingLists(own.latents, codes.a), b: firingLists(other.latents, codes.b) },
    products: { a: products.a.sums, b: products.b.sums },
    projected,
  };
}

/** Latents of b that a matching should not prefer to the counterpart. The same latent always gets the same ones. */
function negativesFor(
  { start, column, weight }: Candidates,
  { match }: Matching,
  { a, b }: { a: FiringLists; b: FiringLists },
): (latent: number) => Record<Negative, number> {
  const often = (lists: FiringLists, i: number) => lists.start[i + 1] - lists.start[i];
  const byDensity = Array.from({ length: b.latents }, (_, j) => j)
    .filter((j) => often(b, j) > 0)
    .sort((i, j) => often(b, i) - often(b, j) || i - j);
  return (latent) => {
    let second = -1;
    let most = -Infinity;
    for (let p = start[latent]; p < start[latent + 1]; p++)
      if (column[p] !== match[latent] && weight[p] > most) {
        most = weight[p];
        second = column[p];
      }
    const wanted = often(a, latent);
    let [low, high] = [0, byDensity.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (often(b, byDensity[middle]) < wanted) low = middle + 1;
      else high = middle;
    }
    const from = Math.max(0, Math.min(low - nearInDensity / 2, byDensity.length - nearInDensity));
    const like = byDensity.slice(from, from + nearInDensity).filter((j) => j !== match[latent]);
    const drawn = Random.fromSeed(latent, 'latents as frequent');
    return { secondBest: second, likeActivity: like.length > 0 ? like[drawn.below(like.length)] : -1 };
  };
}

/** Function of a sample of latents, as many of each third by frequency, with every counterpart that a method gives them and both negatives. */
async function testFunctions(
  { a, b, hook, report, signal }: JudgeOptions,
  { model, capture, rows, sample, contexts }: JudgedFunctions,
  {
    live,
    matchings,
    negativesOf,
    firings,
  }: Pick<JudgedPair, 'live' | 'matchings' | 'negativesOf'> & { firings: FiringLists },
): Promise<JudgedLatent[]> {
  const { contextLength, firstPosition, contexts: all, heldOutContexts } = capture.manifest;
  const firstContext = all - heldOutContexts;
  const random = Random.fromSeed(0, 'latents whose function is compared');
  const chosen = thirds(live).flatMap((third) =>
    Array.from(random.permutation(third.length).subarray(0, Math.ceil(sample / 3)), (at) => third[at]),
  );
  const done: JudgedLatent[] = [];
  for (const latent of chosen) {
    const own = contextsOf(
      latent,
      firings,
      (row) => rows.rowToken(rows.trainRows + row).context - firstContext,
    );
    const order = random.permutation(own.length).subarray(0, contexts);
    const place = placeOf(Array.from(order, (at) => own[at]).sort((x, y) => x - y));
    const against = negativesOf(latent);
    const others = new Set([
      ...matchingMethodNames.map((method) => matchings[method].match[latent]),
      ...negatives.map((kind) => against[kind]),
    ]);
    others.delete(-1);
    const result = await functionalTest(a.autoencoder, b.autoencoder, {
      latent,
      others: [...others],
      place,
    });
    done.push({ latent, negatives: against, result });
    report({
      stage: `${a.name} and ${b.name}: predictions`,
      done: done.length,
      total: chosen.length,
      unit: 'features',
    });
  }
  return done;

  function placeOf(places: readonly number[]): FunctionalTest['place'] {
    const tokens = new Int32Array(places.length * contextLength);
    const perContext = capture.rowsPerContext;
    const keepsOwn = new Uint8Array(places.length * perContext);
    places.forEach((context, at) => {
      const from = (firstContext + context) * contextLength;
      tokens.set(capture.tokens.subarray(from, from + contextLength), at * contextLength);
      keepsOwn.set(
        rows.excludedHeldOut.subarray(context * perContext, (context + 1) * perContext),
        at * perContext,
      );
    });
    return {
      model,
      hook,
      tokens,
      contextLength,
      firstPosition,
      keepsOwn: rows.excluded.length === 0 ? null : keepsOwn,
      signal,
    };
  }
}

/** The rare, the middling and the frequent ones of latents in order of frequency. */
export function thirds<T>(ordered: readonly T[]): readonly [readonly T[], readonly T[], readonly T[]] {
  const [one, two] = [Math.round(ordered.length / 3), Math.round((2 * ordered.length) / 3)];
  return [ordered.slice(0, one), ordered.slice(one, two), ordered.slice(two)];
}

function contextsOf(
  latent: number,
  { start, token }: FiringLists,
  context: (row: number) => number,
): number[] {
  const found = new Set<number>();
  for (let e = start[latent]; e < start[latent + 1]; e++) found.add(context(token[e]));
  return [...found];
}

/** The transport from b to a. */
function transposedPlan({ rows, columns, start, column, weight }: Candidates, plan: TransportPlan) {
  const back = turned({ rows, columns, start, column });
  return {
    candidates: {
      rows: columns,
      columns: rows,
      start: back.start,
      column: back.row,
      weight: Float32Array.from(back.entry, (p) => weight[p]),
    },
    plan: {
      ...plan,
      mass: Float64Array.from(back.entry, (p) => plan.mass[p]),
      rowMass: plan.columnMass,
      columnMass: plan.rowMass,
    },
  };
}
