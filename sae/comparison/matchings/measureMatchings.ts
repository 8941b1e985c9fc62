/** The matchings of a run's seeds, judged by what the counterparts do in each other's place, and where features go (METHODS.md §11). */
import { LazyscopeError } from '../../errors.ts';
import { oneHook, openDictionary, type OpenedDictionary } from '../../evaluation/openDictionary.ts';
import type { LanguageModel } from '../../models/languageModel.ts';
import { predictsNextToken } from '../../models/predictsNextToken.ts';
import { silent, type Report } from '../../progress.ts';
import { flowKindNames, type FlowKind } from '../../spec/flowKinds.ts';
import type { ComparisonManifest } from '../../spec/manifests/comparison.ts';
import { matchingsKind, type Matchings } from '../../spec/manifests/matchings.ts';
import { runKind, type RunManifest } from '../../spec/manifests/run.ts';
import { flowTable } from '../../spec/tables/flows.ts';
import type { StoreLayout } from '../../store/layout.ts';
import { withLock } from '../../store/lock.ts';
import { queryParquet, writeParquet } from '../../store/parquet.ts';
import { readManifest } from '../../store/readManifest.ts';
import { removeStored } from '../../store/remote/bringIn.ts';
import { writeManifest } from '../../store/writeManifest.ts';
import type { Counterparts } from '../counterparts.ts';
import { comparisonsOfSeeds } from '../reproducibility/seedCosines.ts';
import { judgePair } from './judgePair.ts';
import { summariseMatchings, summarisePair, type SeedPair } from './summariseMatchings.ts';
import type { Flows } from './transportFlows.ts';

export interface MatchingsOptions {
  store: StoreLayout;
  run: string;
  /** Another run on the same activations, to whose dictionaries features are followed too. */
  against?: string | undefined;
  /** What predictions are compared with; the reconstruction alone is without one. */
  model: LanguageModel | null;
  /** Comparisons of all pairs of seeds, and of every seed with every one of `against`, by which the optimal matchings are known. */
  comparisons: readonly ComparisonManifest[];
  maxTokens: number;
  sample: number;
  contexts: number;
  epsilon: number;
  rho: number;
  threshold: number;
  report?: Report;
  signal?: AbortSignal | undefined;
}

/**
 * Writes matchings.json and a table of flows for each seed. Throws 'bad_input' for a run of one seed, of transcoders, for another run on other
 * activations, for a pair that was not compared, and where nothing fires; and what the readers throw.
 */
export async function measureMatchings(options: MatchingsOptions): Promise<Matchings> {
  const { store, run: name, model, epsilon, rho, report = silent, signal } = options;
  const started = performance.now();
  if (model) predictsNextToken(model, 'what a counterpart does to its predictions can not be measured');
  const run = await readManifest(store.runManifest(name), runKind);
  const { seeds, width } = run.config;
  if (seeds.length < 2)
    throw new LazyscopeError(
      'bad_input',
      `Run '${name}' has one seed only: train a run with several, for example with --seeds 0-4.`,
    );
  const against = options.against === undefined ? null : await otherRun(store, run, options.against);
  return withLock(store.run(name), `judge the matchings of ${name}`, async () => {
    const compared = comparisonsOfSeeds(name, seeds, options.comparisons);
    const pairs: SeedPair[] = [];
    const flows = new Map<number, TaggedFlows[]>(seeds.map((seed) => [seed, []]));
    let tokens = 0;
    const judge = async (
      a: { run: string; seed: number },
      b: { run: string; seed: number },
      { comparison, predicts }: { comparison: ComparisonManifest; predicts: boolean },
    ) => {
      const opened = await openPair(store, [a, b], model);
      try {
        const [own, other] = opened;
        const available = Math.min(own.rows.heldOutRows, options.maxTokens);
        tokens = available;
        return await judgePair({
          a: { name: `${a.run}/${a.seed}`, autoencoder: own.autoencoder },
          b: { name: `${b.run}/${b.seed}`, autoencoder: other.autoencoder },
          assignment: await storedMatchings(store, comparison, a),
          rows: own.rows,
          hook: oneHook(own.hook, name),
          tokens: available,
          epsilon,
          rho,
          threshold: options.threshold,
          functions:
            predicts && model
              ? {
                  model,
                  capture: own.capture,
                  rows: own.rows,
                  sample: options.sample,
                  contexts: options.contexts,
                }
              : null,
          report,
          signal,
        });
      } finally {
        for (const one of opened) one.dispose();
      }
    };
    for (const comparison of compared) {
      const [a, b] = [comparison.a.seed, comparison.b.seed].sort((x, y) => x - y);
      const judged = await judge(
        { run: name, seed: a },
        { run: name, seed: b },
        { comparison, predicts: true },
      );
      if (judged.live.length === 0)
        throw new LazyscopeError(
          'bad_input',
          `No latent of '${name}' seed ${a} that fires on ${tokens} held-out tokens is missed when it is taken out: give more --max-tokens.`,
        );
      pairs.push({ a, b, figures: summarisePair(judged) });
      flows.get(a)!.push({ run: name, seed: b, flows: judged.forward });
      flows.get(b)!.push({ run: name, seed: a, flows: judged.backward });
    }
    for (const seed of seeds)
      for (const other of against?.config.seeds ?? []) {
        const [a, b] = [
          { run: name, seed },
          { run: against!.name, seed: other },
        ];
        const comparison = comparisonOf(options.comparisons, a, b);
        const { forward } = await judge(a, b, { comparison, predicts: false });
        flows.get(seed)!.push({ run: against!.name, seed: other, flows: forward });
      }
    await removeStored(store.matchings(name));
    for (const [seed, own] of flows) await writeFlows(store.flows(name, seed), own);
    const document: Matchings = {
      version: 1,
      run: name,
      createdAt: new Date().toISOString(),
      seeds: [...seeds],
      against: against?.name ?? null,
      latents: width,
      comparisons: compared.map(({ name: comparison, createdAt }) => ({ name: comparison, createdAt })),
      tokens,
      predictions: model && {
        latents: pairs.reduce((sum, { figures }) => sum + figures.sampled.length, 0),
        contexts: options.contexts,
      },
      transport: {
        epsilon,
        rho,
        iterations: Math.max(...pairs.map(({ figures }) => figures.iterations)),
        change: Math.max(...pairs.map(({ figures }) => figures.change)),
      },
      ...summariseMatchings(seeds, pairs, { tokens, predictions: model !== null }),
      flows: [name, ...(against ? [against.name] : [])].map((to) => ({
        to,
        kinds: countKinds([...flows.values()].flat().filter((own) => own.run === to)),
      })),
      seconds: (performance.now() - started) / 1000,
    };
    await writeManifest(store.matchings(name), matchingsKind, document);
    return document;
  });
}

interface TaggedFlows {
  readonly run: string;
  readonly seed: number;
  readonly flows: Flows;
}

async function otherRun(store: StoreLayout, run: RunManifest, name: string): Promise<RunManifest> {
  const other = await readManifest(store.runManifest(name), runKind);
  const { capture, hook } = run.config;
  if (other.name === run.name)
    throw new LazyscopeError('bad_input', `'${name}' is the run itself: name another one, or none.`);
  if (other.config.capture !== capture || other.config.hook !== hook)
    throw new LazyscopeError(
      'bad_input',
      `'${name}' is of '${other.config.hook}' of capture '${other.config.capture}', and '${run.name}' of '${hook}' of '${capture}': follow features to a run on the same activations.`,
    );
  return other;
}

async function openPair(
  store: StoreLayout,
  pair: readonly { run: string; seed: number }[],
  model: LanguageModel | null,
): Promise<OpenedDictionary[]> {
  const opened: OpenedDictionary[] = [];
  try {
    for (const { run, seed } of pair) {
      const one = await openDictionary(store, run, seed, model);
      opened.push(one);
      if (one.output !== one.hook)
        throw new LazyscopeError(
          'bad_input',
          `Run '${run}' is of transcoders, whose latents aren't part of what they read: judge the matchings of an autoencoder.`,
        );
    }
    return opened;
  } catch (error) {
    for (const one of opened) one.dispose();
    throw error;
  }
}

function comparisonOf(
  comparisons: readonly ComparisonManifest[],
  own: { run: string; seed: number },
  other: { run: string; seed: number },
): ComparisonManifest {
  const is = (x: { run: string; seed: number }, y: { run: string; seed: number }) =>
    x.run === y.run && x.seed === y.seed;
  const [newest] = comparisons
    .filter(({ a, b }) => (is(a, own) && is(b, other)) || (is(a, other) && is(b, own)))
    .sort((x, y) => (x.createdAt < y.createdAt ? 1 : -1));
  if (newest) return newest;
  throw new LazyscopeError(
    'bad_input',
    `'${own.run}/${own.seed}' and '${other.run}/${other.seed}' have not been compared: compare them with 'lazyscope compare ${own.run}/${own.seed} ${other.run}/${other.seed}'.`,
  );
}

/** Both optimal matchings of a stored comparison, from the side of `own`. */
async function storedMatchings(
  store: StoreLayout,
  { name, a, latents }: ComparisonManifest,
  own: { run: string; seed: number },
): Promise<{ decoder: Counterparts; encoder: Counterparts }> {
  const rows = await queryParquet(
    'SELECT latent, "decoderMatch", "decoderCosine", "encoderMatch", "encoderCosine" FROM read_parquet($path) ORDER BY latent',
    { path: store.comparisonMatches(name) },
  );
  const forward = a.run === own.run && a.seed === own.seed;
  const side = (match: 'decoderMatch' | 'encoderMatch', cosine: 'decoderCosine' | 'encoderCosine') => {
    const most = forward ? latents : 1 + rows.reduce((top, row) => Math.max(top, Number(row[match])), -1);
    const found = { match: new Int32Array(most).fill(-1), cosine: new Float64Array(most).fill(NaN) };
    for (const row of rows) {
      const [from, to] = forward
        ? [Number(row.latent), Number(row[match])]
        : [Number(row[match]), Number(row.latent)];
      if (from < 0 || to < 0) continue;
      found.match[from] = to;
      found.cosine[from] = Number(row[cosine]);
    }
    return found;
  };
  return {
    decoder: side('decoderMatch', 'decoderCosine'),
    encoder: side('encoderMatch', 'encoderCosine'),
  };
}

function countKinds(flows: readonly TaggedFlows[]): Matchings['flows'][number]['kinds'] {
  const count = (name: FlowKind) =>
    flows.reduce((sum, own) => sum + own.flows.kind.filter((kind) => kind === name).length, 0);
  return Object.fromEntries(
    flowKindNames.map((name) => [name, count(name)]),
  ) as Matchings['flows'][number]['kinds'];
}

/** A piece for each other dictionary, since the rows of all of them together are tens of millions where dictionaries are wide. */
async function writeFlows(path: string, all: readonly TaggedFlows[]): Promise<void> {
  function* pieces() {
    for (const one of all) yield columnsOf(one);
  }
  await writeParquet(path, flowTable, pieces());
}

function columnsOf({ run, seed, flows: { kind, carried, flows } }: TaggedFlows) {
  const having = new Uint8Array(kind.length);
  for (const { latent } of flows) having[latent] = 1;
  const without = [...kind.keys()]
    .filter((latent) => having[latent] === 0)
    .map((latent) => ({ latent, other: -1, sent: 0, received: 0, cosine: NaN }));
  const rows = [...flows, ...without];
  return {
    latent: Int32Array.from(rows, ({ latent }) => latent),
    run: rows.map(() => run),
    seed: new Int32Array(rows.length).fill(seed),
    kind: rows.map(({ latent }) => kind[latent]),
    carried: Float64Array.from(rows, ({ latent }) => carried[latent]),
    other: Int32Array.from(rows, ({ other }) => other),
    sent: Float64Array.from(rows, ({ sent }) => sent),
    received: Float64Array.from(rows, ({ received }) => received),
    cosine: Float64Array.from(rows, ({ cosine }) => cosine),
  };
}
