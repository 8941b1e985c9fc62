/** Two dictionaries of activations whose spaces differ, such as of two models or of two steps of one's training (METHODS.md §12). */
import { parseExclusionRule } from '../../activations/exclusionRule.ts';
import { openCaptureOf } from '../../activations/jointRows.ts';
import { selectRows, type SelectedRows } from '../../activations/selectRows.ts';
import { loadAutoencoder, type Autoencoder, type SparseCode } from '../../autoencoders/autoencoder.ts';
import { LazyscopeError } from '../../errors.ts';
import { finiteOrNull } from '../../numerics/finiteOrNull.ts';
import { Random } from '../../numerics/random.ts';
import { pause } from '../../pause.ts';
import { silent, type Report } from '../../progress.ts';
import { hooksOf } from '../../spec/hooksOf.ts';
import type { DictionaryReference } from '../../spec/manifests/comparison.ts';
import { runKind } from '../../spec/manifests/run.ts';
import { spacesKind, type SpacesReport } from '../../spec/manifests/spaces.ts';
import { finishWithPauses } from '../../steps.ts';
import type { StoreLayout } from '../../store/layout.ts';
import { readManifest } from '../../store/readManifest.ts';
import { writeManifest } from '../../store/writeManifest.ts';
import { tf } from '../../tensor/tf.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { gather, unitRows, type Directions } from '../directions.ts';
import { activationCandidateSteps } from '../matchings/activationCandidates.ts';
import { firingLists } from '../matchings/firingLists.ts';
import { mutualNearest } from '../matchings/matchingMethods.ts';
import { dictionaryKey } from '../dictionaryKey.ts';
import { alignRows } from './alignRows.ts';
import { rsaSteps, svccaSteps, type Similarity } from './spaceSimilarity.ts';

export interface CompareSpacesOptions {
  store: StoreLayout;
  a: DictionaryReference;
  b: DictionaryReference;
  /** Of the models of both captures, by the capture's name; null where it isn't known. */
  tokenizerOf: (capture: string) => Promise<Tokenizer | null>;
  /** Places of the text, at most. */
  maxTokens: number;
  /** Least correlation of a pair. */
  leastCorrelation: number;
  /** Random pairings. */
  draws: number;
  report?: Report;
  signal?: AbortSignal | undefined;
}

/** Fewest pairs of which something can be said. */
const fewestPairs = 20;
const rowsAtOnce = 2048;

/**
 * Pairs latents by the correlation of their activations on the same places of one text, compares the decoder rows of the pairs, and
 * keeps the result under the names of both in the store, in place of an earlier one. Throws
 * 'bad_input' where places can't be matched, for fewer than 20 pairs and for fewer than 19 draws; and what the readers throw.
 */
export async function compareSpaces(options: CompareSpacesOptions): Promise<SpacesReport> {
  const { store, a, b, tokenizerOf, draws, report = silent, signal } = options;
  const started = performance.now();
  const name = `${a.run}-${a.seed}-${b.run}-${b.seed}`;
  if (!(Number.isInteger(draws) && draws >= 19))
    throw new LazyscopeError('bad_input', `Pairings are drawn at least 19 times, but got ${draws}.`);
  const sides = await Promise.all(
    [a, b].map(async (reference) => {
      const manifest = await readManifest(store.runManifest(reference.run), runKind);
      const { config, exclusion } = manifest;
      const capture = await openCaptureOf(store, manifest);
      if (capture.heldOutRows === 0)
        throw new LazyscopeError(
          'bad_input',
          `Capture '${config.capture}' holds nothing out to compare on: capture with a held-out fraction.`,
        );
      const rule = parseExclusionRule(exclusion?.rule ?? 'none');
      const rows = selectRows(capture, hooksOf(config), rule);
      return { reference, config, capture, rows, autoencoder: await loadAutoencoder(store, reference.run, reference.seed) }; // prettier-ignore
    }),
  );
  try {
    const tokenizers = await Promise.all(sides.map(({ config }) => tokenizerOf(config.capture)));
    const [sideA, sideB] = sides.map(({ config, rows }, at) => ({
      name: config.capture,
      rows,
      tokenizer: tokenizers[at],
    }));
    const aligned = alignRows(sideA, sideB);
    const tokens = Math.min(aligned.a.length, options.maxTokens);
    const codes: SparseCode[][] = [];
    for (const [at, { reference, config, rows, autoencoder }] of sides.entries())
      codes.push(
        await encodeRows(
          { autoencoder, rows, hook: config.hook },
          (at === 0 ? aligned.a : aligned.b).subarray(0, tokens),
          {
            stage: `activations of ${dictionaryKey(reference)}`,
            report,
            signal,
          },
        ),
      );
    const [firesA, firesB] = codes.map((own, at) => firingLists(sides[at].autoencoder.latents, own));
    const doing = 'comparing spaces';
    const { correlation } = await finishWithPauses(
      activationCandidateSteps(firesA, firesB, {
        kept: 1,
        progress: (done) =>
          report({ stage: 'pairing latents', done, total: firesA.latents, unit: 'latents' }),
      }),
      signal,
      doing,
    );
    const { match, confidence } = mutualNearest(correlation);
    const paired = [...match.keys()].filter(
      (i) => match[i] >= 0 && confidence[i] >= options.leastCorrelation,
    );
    if (paired.length < fewestPairs)
      throw new LazyscopeError(
        'bad_input',
        `Only ${paired.length} latents of '${dictionaryKey(a)}' and '${dictionaryKey(b)}' go together on ${tokens} places of the text, and it takes ${fewestPairs}: give more --max-tokens or a lower --least-correlation.`,
      );
    const rows = [paired, paired.map((i) => match[i])].map((latents, at): Directions => {
      const { autoencoder, reference } = sides[at];
      const { latents: count, d, wDec } = autoencoder;
      return gather(
        unitRows({ rows: count, d, data: wDec }, `the decoder of ${dictionaryKey(reference)}`),
        latents,
      );
    });
    const random = Random.fromSeed(0, 'random pairings');
    const told = (stage: string) => (done: number) => report({ stage, done, total: draws, unit: 'pairings' });
    const svcca = await finishWithPauses(svccaSteps(rows[0], rows[1], { draws, random, progress: told('SVCCA') }), signal, doing); // prettier-ignore
    const rsa = await finishWithPauses(rsaSteps(rows[0], rows[1], { draws, random, progress: told('RSA') }), signal, doing); // prettier-ignore
    const correlations = paired.map((i) => confidence[i]).sort((x, y) => x - y);
    const live = ({ latents, start }: typeof firesA) =>
      Array.from({ length: latents }, (_, i) => Number(start[i + 1] > start[i])).reduce((s, v) => s + v, 0);
    const document: SpacesReport = {
      version: 1,
      name,
      createdAt: new Date().toISOString(),
      a: { ...a },
      b: { ...b },
      aligned: aligned.by,
      tokens,
      live: [live(firesA), live(firesB)],
      pairs: paired.length,
      leastCorrelation: options.leastCorrelation,
      draws,
      correlation: {
        mean: finiteOrNull(correlations.reduce((sum, r) => sum + r, 0) / paired.length),
        median: finiteOrNull(correlations[paired.length >> 1]),
      },
      svcca: { ...figuresOf(svcca), components: [...svcca.components] },
      rsa: { ...figuresOf(rsa), vectors: rsa.vectors },
      seconds: (performance.now() - started) / 1000,
    };
    await writeManifest(store.spacesReport(name), spacesKind, document);
    return document;
  } finally {
    for (const { autoencoder, capture } of sides) {
      autoencoder.dispose();
      capture.close();
    }
  }
}

function figuresOf({ value, interval, chance, most, p }: Similarity) {
  return {
    value: finiteOrNull(value),
    interval: interval && ([...interval] as [number, number]),
    chance: finiteOrNull(chance),
    most: finiteOrNull(most),
    p: finiteOrNull(p),
  };
}

async function encodeRows(
  { autoencoder, rows, hook }: { autoencoder: Autoencoder; rows: SelectedRows; hook: string },
  chosen: Uint32Array,
  { stage, report, signal }: { stage: string; report: Report; signal: AbortSignal | undefined },
): Promise<SparseCode[]> {
  const { d } = autoencoder;
  const codes: SparseCode[] = [];
  for (let first = 0; first < chosen.length; first += rowsAtOnce) {
    const some = chosen.subarray(first, first + rowsAtOnce);
    const data = new Float32Array(some.length * d);
    rows.gatherRows(hook, some, data);
    const x = tf.tensor2d(data, [some.length, d]);
    codes.push(autoencoder.encode(x));
    x.dispose();
    report({ stage, done: first + some.length, total: chosen.length, unit: 'tokens' });
    await pause(signal, 'comparing spaces');
  }
  return codes;
}
