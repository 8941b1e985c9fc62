/**
 * A store as large as a study leaves, for timing the explorer's server: runs of several seeds, indexed and compared, over the
 * text of Moby-Dick. Its tables are the product's own, written by its writers; what is in them is made up, but distributed as on
 * real dictionaries: each latent fires on a few words, which most of its examples have at their peak. Two dictionaries are made
 * and copied to all the others, because making one takes most of a minute at full size.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { openCapture } from '../../sae/activations/openCapture.ts';
import { writeFeaturePages } from '../../sae/features/featurePages.ts';
import { featureRowGroup } from '../../sae/features/indexFeatures.ts';
import { indexSearch } from '../../sae/features/indexSearch.ts';
import { encodeVectors } from '../../sae/formats/arrowVectors.ts';
import { openModelFiles } from '../../sae/models/openModelFiles.ts';
import { Random } from '../../sae/numerics/random.ts';
import type { CaptureManifest, Shard } from '../../sae/spec/manifests/capture.ts';
import type { ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { exampleTable } from '../../sae/spec/tables/examples.ts';
import { featureTable } from '../../sae/spec/tables/features.ts';
import { loadingTable } from '../../sae/spec/tables/loadings.ts';
import { matchTable } from '../../sae/spec/tables/matches.ts';
import { sharedCurveTable } from '../../sae/spec/tables/sharedCurve.ts';
import { writeFileAtomic, writeJsonAtomic } from '../../sae/store/atomicWrite.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import { writeParquet } from '../../sae/store/parquet.ts';
import { readText } from '../../sae/tokens/readText.ts';
import { writeVocabulary } from '../../sae/tokens/vocabulary.ts';
import { bundledModels } from '../commandLine/environment.ts';

export interface ExplorerStoreSize {
  runs: number;
  seeds: number;
  latents: number;
}

const capture = 'moby-dick';
const hook = 'blocks.1.hook_resid_post';
const contextLength = 128;
const heldOutShare = 0.9;
const threshold = 0.7;
const [topExamples, bandExamples, bands, beside] = [20, 5, 5, 16];
const made = 2;

const runName = (run: number) => `bench-${run}`;

export async function writeExplorerStore(
  folder: string,
  { runs, seeds, latents }: ExplorerStoreSize,
  say: (line: string) => void,
): Promise<StoreLayout> {
  const store = new StoreLayout(folder);
  const text = await writeCapture(store);
  const opened = await openCapture(store, capture);
  const dictionaries = Array.from({ length: runs * seeds }, (_, i) => ({
    run: runName(Math.floor(i / seeds)),
    seed: i % seeds,
  }));
  for (const [i, { run, seed }] of dictionaries.entries()) {
    const paths = (of: { run: string; seed: number }) =>
      [store.features, store.examples, store.loadings, store.featurePages, store.searchIndex].map((path) =>
        path.call(store, of.run, of.seed),
      );
    if (i < made) {
      await writeTables(store, { run, seed, latents, random: Random.fromSeed(i, 'explorer') }, text);
      await writeFeaturePages({ store, run, seed });
      await indexSearch({ store, run, seed, capture: opened, tokenizer: text.tokenizer });
    } else {
      const from = paths(dictionaries[i % made]);
      await mkdir(dirname(paths({ run, seed })[0]), { recursive: true });
      for (const [at, path] of paths({ run, seed }).entries()) await copyFile(from[at], path);
    }
    say(`dictionary ${i + 1} of ${dictionaries.length}`);
  }
  opened.close();
  for (let run = 0; run < runs; run++) {
    await writeJsonAtomic(store.runManifest(runName(run)), manifestOf(runName(run), seeds, latents));
    for (let a = 0; a < seeds; a++)
      for (let b = a + 1; b < seeds; b++) await writeComparison(store, { run: runName(run), a, b, latents });
  }
  return store;
}

async function writeCapture(store: StoreLayout) {
  const folder = join(bundledModels, 'lazyscope-demo-relu');
  const tokenizer = openModelFiles(folder).tokenizer();
  const { text, sha256: textSha256 } = await readText('dataset:moby-dick');
  const ids = tokenizer.encode(text, { special: false });
  const contexts = Math.floor(ids.length / contextLength);
  const tokens = Int32Array.from(ids.slice(0, contexts * contextLength));
  const root = store.capture(capture);
  const write = async (path: string, rows: number, bytes: Uint8Array): Promise<Shard> => {
    await writeFileAtomic(path, bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { file: relative(root, path), rows, bytes: bytes.length, sha256 };
  };
  const modelSha256 = createHash('sha256').update(folder).digest('hex');
  const manifest: CaptureManifest = {
    version: 1,
    name: capture,
    createdAt: '2026-01-01T00:00:00.000Z',
    status: 'complete',
    model: { name: 'lazyscope-demo-relu', folder, sha256: modelSha256 },
    text: { source: 'dataset:moby-dick', sha256: textSha256 },
    contextLength,
    contexts,
    heldOutContexts: Math.floor(contexts * heldOutShare),
    firstPosition: 1,
    dtype: 'float32',
    tokens: await write(
      store.captureTokens(capture),
      contexts,
      encodeVectors('tokens', contextLength, tokens),
    ),
    hooks: [
      {
        hook,
        width: 1,
        shards: [
          await write(
            join(store.captureHook(capture, hook), '00000.arrow'),
            contexts * (contextLength - 1),
            encodeVectors('activation', 1, new Float32Array(contexts * (contextLength - 1))),
          ),
        ],
      },
    ],
  };
  await writeJsonAtomic(store.captureManifest(capture), manifest);
  await writeVocabulary(store.vocabulary(modelSha256), tokenizer);
  const firstContext = contexts - manifest.heldOutContexts;
  return { tokens, tokenizer, contexts, firstContext, places: placesOf(tokens, firstContext) };
}
type Text = Awaited<ReturnType<typeof writeCapture>>;

/** Where each token stands in the held-out contexts, without the first position. */
function placesOf(tokens: Int32Array, firstContext: number): number[][] {
  const places: number[][] = [];
  for (let at = firstContext * contextLength; at < tokens.length; at++)
    if (at % contextLength > 0) (places[tokens[at]] ??= []).push(at);
  return places;
}

interface Made {
  run: string;
  seed: number;
  latents: number;
  random: Random;
}

async function writeTables(
  store: StoreLayout,
  { run, seed, latents, random }: Made,
  text: Text,
): Promise<void> {
  const known = [...text.places.entries()].filter(([, places]) => places?.length > 1).map(([token]) => token);
  const some = (count: number) => Array.from({ length: count }, () => known[random.below(known.length)]);
  const firesOn = Array.from({ length: latents }, () => some(10));
  const promoted = Array.from({ length: latents }, () => some(10));
  const list = (count: number, value: () => number) =>
    Array.from({ length: latents }, () => Float32Array.from({ length: count }, value));
  const density = Float64Array.from({ length: latents }, () => 10 ** (-4 + 3 * random.uniform()));
  const logits = () => list(10, () => random.uniform());
  await writeParquet(
    store.features(run, seed),
    featureTable,
    {
      latent: Int32Array.from({ length: latents }, (_, i) => i),
      density,
      firings: density.map((share) => Math.round(share * 200_000)),
      dead: Array.from(density, () => false),
      maxActivation: density.map(() => 1 + 10 * random.uniform()),
      meanActivation: density.map(() => random.uniform()),
      histogram: Array.from({ length: latents }, () => Int32Array.from({ length: 32 }, (_, bin) => 40 - bin)),
      decoderNorm: density.map(() => 1),
      encoderDecoderCosine: density.map(() => random.uniform()),
      biasEncoder: density.map(() => random.normal()),
      promotedTokens: promoted,
      promotedLogits: logits(),
      suppressedTokens: Array.from({ length: latents }, () => some(10)),
      suppressedLogits: logits(),
      neighbours: Array.from({ length: latents }, () =>
        Int32Array.from({ length: 8 }, () => random.below(latents)),
      ),
      neighbourCosines: list(8, () => random.uniform()),
      topTokens: firesOn,
      topTokenCounts: Array.from({ length: latents }, () =>
        Int32Array.from({ length: 10 }, (_, i) => 20 - i),
      ),
    },
    { rowGroupSize: featureRowGroup },
  );
  await writeParquet(store.loadings(run, seed), loadingTable, {
    latent: Int32Array.from({ length: latents * 8 }, (_, i) => i >> 3),
    rank: Int32Array.from({ length: latents * 8 }, (_, i) => i & 7),
    layer: new Int32Array(latents * 8),
    neuron: Int32Array.from({ length: latents * 8 }, () => random.below(256)),
    cosine: Float64Array.from({ length: latents * 8 }, () => random.uniform()),
  });
  await writeParquet(store.examples(run, seed), exampleTable, examples(firesOn, random, text), {
    rowGroupSize: 4096,
  });
}

function* examples(firesOn: readonly number[][], random: Random, { tokens, places }: Text) {
  const latentsAtOnce = 512;
  for (let from = 0; from < firesOn.length; from += latentsAtOnce) {
    const rows = firesOn.slice(from, from + latentsAtOnce).flatMap((own, i) => {
      const count = topExamples + bands * bandExamples;
      return Array.from({ length: count }, (_, n) => {
        const of = places[own[random.below(own.length)]];
        const place = of[random.below(of.length)];
        const position = place % contextLength;
        const start = Math.max(0, position - beside);
        const shown = Math.min(contextLength, position + beside + 1) - start;
        const first = place - position + start;
        const activation = 1 - n / count;
        const activations = new Float32Array(shown);
        activations[position - start] = activation;
        return {
          latent: from + i,
          band: n < topExamples ? 'top' : `quantile-${4 - Math.floor((n - topExamples) / bandExamples)}`,
          rank: n < topExamples ? n : (n - topExamples) % bandExamples,
          activation,
          context: Math.floor(place / contextLength),
          position,
          start,
          tokens: tokens.subarray(first, first + shown),
          activations,
        };
      });
    });
    yield {
      latent: rows.map((row) => row.latent),
      band: rows.map((row) => row.band),
      rank: rows.map((row) => row.rank),
      activation: rows.map((row) => row.activation),
      context: rows.map((row) => row.context),
      position: rows.map((row) => row.position),
      start: rows.map((row) => row.start),
      tokens: rows.map((row) => row.tokens),
      activations: rows.map((row) => row.activations),
    };
  }
}

async function writeComparison(
  store: StoreLayout,
  { run, a, b, latents }: { run: string; a: number; b: number; latents: number },
): Promise<void> {
  const name = `${run}-${a}-${b}`;
  const random = Random.fromSeed(a * 1000 + b, name);
  const match = Int32Array.from(random.permutation(latents));
  const cosine = Float64Array.from({ length: latents }, () => random.uniform());
  const alike = cosine.map((value) => Number(value >= threshold));
  await writeParquet(store.comparisonMatches(name), matchTable, {
    latent: match.map((_, i) => i),
    decoderMatch: match,
    decoderCosine: cosine,
    encoderMatch: match,
    encoderCosine: cosine,
    shared: Array.from(alike, (one) => one === 1),
    nearest: match,
    nearestCosine: cosine,
    activationCorrelation: cosine,
    firingJaccard: cosine,
    chanceP: new Float64Array(latents).fill(NaN),
    isotropicP: new Float64Array(latents).fill(NaN),
  });
  const thresholds = Array.from({ length: 101 }, (_, i) => i / 100);
  const falling = thresholds.map((at) => 1 - at);
  const unknown = thresholds.map(() => NaN);
  await writeParquet(store.comparisonCurve(name), sharedCurveTable, {
    threshold: thresholds,
    shared: falling,
    decoder: falling,
    encoder: falling,
    greedy: falling,
    chance: unknown,
    chanceDeviation: unknown,
    nearestChance: unknown,
  });
  const shared = alike.reduce((sum, one) => sum + one, 0) / latents;
  const side = { matched: shared, greedy: shared, mmcs: 0.5, pwMcc: 0.5, gap: 0 };
  const manifest: ComparisonManifest = {
    version: 1,
    name,
    createdAt: '2026-01-01T00:00:00.000Z',
    a: { run, seed: a },
    b: { run, seed: b },
    architectures: ['topk', 'topk'],
    latents,
    threshold,
    shared,
    sharedDecoder: shared,
    sharedEncoder: shared,
    mmcs: 0.5,
    pwMcc: 0.5,
    measures: { decoder: side, encoder: side, agreement: 1, otherLatents: latents },
    solver: 'dense',
    gap: 0,
    seconds: 1,
    peakRssMb: 100,
  };
  await writeJsonAtomic(store.comparisonManifest(name), manifest);
}

function manifestOf(name: string, seeds: number, latents: number): RunManifest {
  const steps = 1000;
  return {
    version: 1,
    name,
    createdAt: '2026-01-01T00:00:00.000Z',
    finishedAt: '2026-01-01T01:00:00.000Z',
    status: 'complete',
    config: {
      architecture: 'topk',
      k: 32,
      auxCoefficient: 1 / 32,
      capture,
      hook,
      width: latents,
      seeds: Array.from({ length: seeds }, (_, seed) => seed),
      batchSize: 1024,
      tokens: steps * 1024,
      // Runs must differ, or their seeds would count as those of one configuration.
      learningRate: 1e-3 * (1 + Number(name.split('-')[1])),
      warmupSteps: 10,
      decayFraction: 0.2,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      clipNorm: 1,
      deadAfter: 10_000_000,
      checkpointEvery: 100,
      logEvery: 10,
    },
    d: 1,
    scale: 1,
    environment: {
      lazyscope: '0.2.0',
      node: process.versions.node,
      platform: process.platform,
      cpu: 'bench',
      backend: 'cpu',
      threads: 1,
    },
    step: steps,
    totalSteps: steps,
    seconds: 3600,
    tokensPerSecond: 1000,
  };
}
