/**
 * Compares two trained dictionaries and stores what was found: comparisons/<name>/ with matches.parquet,
 * curve.parquet and, last, comparison.json, which says that the others are whole.
 */
import { printExclusionRule } from '../activations/exclusionRule.ts';
import type { Autoencoder } from '../autoencoders/autoencoder.ts';
import { parseHookPoint } from '../models/hookPoints.ts';
import { throwIfStopped } from '../pause.ts';
import { silent } from '../progress.ts';
import { comparisonKind } from '../spec/manifests/comparison.ts';
import type { ComparisonManifest, DictionaryReference } from '../spec/manifests/comparison.ts';
import type { Part } from '../spec/part.ts';
import { matchTable } from '../spec/tables/matches.ts';
import { sharedCurveTable } from '../spec/tables/sharedCurve.ts';
import { finishWithPauses } from '../steps.ts';
import { BlockFolder, blockPath, blocksLeft, removeBlocks } from '../store/blocks.ts';
import { withLock } from '../store/lock.ts';
import { writeParquet } from '../store/parquet.ts';
import { removeStored } from '../store/remote/bringIn.ts';
import { checkManifest, writeManifest } from '../store/writeManifest.ts';
import { comparisonChance, comparisonChanceBlocks, fetchSpectra, SharedNulls, type ChanceShape } from './chance/comparisonChance.ts'; // prettier-ignore
import { codeBlocks, compareActivations } from './compareActivations.ts';
import type { Counterparts } from './counterparts.ts';
import { dictionaryKey } from './dictionaryKey.ts';
import { unitRows } from './directions.ts';
import { functionalSwap } from './functionalSwap.ts';
import { matchBlocks, matchSteps, type DictionaryMatch } from './matchDictionaries.ts';
import { comparisonFacts, openComparison, type CompareOptions } from './openComparison.ts';
import { meanCosine, sharedCurve, sharedLatents, matchedFraction } from './sharedFraction.ts';
import { storeStability } from './storedStability.ts';

/**
 * Compares dictionaries `a` and `b` by the definitions of METHODS.md §3. Activations are compared on the held-out tokens of a's capture, each dictionary at its own hook
 * point, so that runs of different layers can be compared when one capture has both.
 *
 * A stored comparison of the same two dictionaries by that name is replaced. Throws 'conflict' when the name belongs to another
 * pair, 'bad_input' for dictionaries that can't be compared, and what the readers throw for runs that don't exist.
 */
export async function compare(options: CompareOptions): Promise<ComparisonManifest> {
  const { store, name, a, b, report = silent, signal } = options;
  const started = performance.now();
  const opened = await openComparison(options);
  const { threshold, memory, capture, rule, rows } = opened;
  const [dictionaryA, dictionaryB] = [opened.a.dictionary, opened.b.dictionary];
  // The matching passes over a cosine matrix by rows of the narrower dictionary, which is what progress counts.
  const smaller = Math.min(dictionaryA.latents, dictionaryB.latents);
  try {
    const folder = await blocksLeft(store, 'compare', () => comparisonFacts(options, opened));
    const manifest = await withLock(
      store.comparison(name),
      `compare ${dictionaryKey(a)} with ${dictionaryKey(b)}`,
      async () => {
        const matching = matchSteps(dictionaryA, dictionaryB, {
          names: [dictionaryKey(a), dictionaryKey(b)],
          memory,
          targetGap: options.targetGap,
          progress: (stage, done) => report({ stage, done, total: smaller, unit: 'latents' }),
          folder,
        });
        const match = await finishWithPauses(matching, signal, 'matching latents');
        const agreement = await compareActivations(opened, {
          match: match.decoder.match,
          folder,
          report,
          signal,
        });
        const shared = sharedLatents(match, threshold);
        const swap =
          options.model &&
          (await functionalSwap({
            a: dictionaryA,
            b: dictionaryB,
            hook: parseHookPoint(opened.a.hook).name,
            capture,
            rows,
            model: options.model,
            match: match.decoder.match,
            shared,
            report,
            signal,
          }));
        const nulls = options.nulls ?? new SharedNulls();
        const progress: ChanceShape['progress'] = (stage, done, total, unit) =>
          report({ stage, done, total, unit });
        if (options.nulls !== null) await fetchSpectra({ ...opened, nulls, progress, folder, signal });
        const chance =
          options.nulls === null
            ? null
            : comparisonChance({
                a: unitDecoder(dictionaryA, a),
                b: unitDecoder(dictionaryB, b),
                matched: match.decoder,
                threshold,
                activations: opened.activations,
                nulls,
                folder,
                progress,
              });
        const path = store.comparisonManifest(name);
        const manifest = (): ComparisonManifest => ({
          version: 1,
          name,
          createdAt: new Date().toISOString(),
          a,
          b,
          architectures: [dictionaryA.architecture, dictionaryB.architecture],
          latents: dictionaryA.latents,
          threshold,
          ...(rows.excluded.length > 0 && {
            exclusion: { rule: printExclusionRule(rule), rows: rows.excluded.length },
          }),
          shared: shared.filter(Boolean).length / dictionaryA.latents,
          sharedDecoder: matchedFraction(match.decoder, threshold),
          sharedEncoder: matchedFraction(match.encoder, threshold),
          mmcs: meanCosine(match.nearest),
          pwMcc: meanCosine(match.decoder),
          measures: measuresOf(match, threshold, dictionaryB.latents),
          ...(swap && { swap }),
          ...(chance && { chance: chance.manifest }),
          solver: match.solver,
          gap: match.gap,
          seconds: (performance.now() - started) / 1000,
          peakRssMb: process.resourceUsage().maxRSS / 1024,
        });
        checkManifest(path, comparisonKind, manifest());

        throwIfStopped(signal, 'comparing');
        // A manifest of an earlier comparison must not vouch for the tables of this one.
        await removeStored(path);
        await writeParquet(store.comparisonMatches(name), matchTable, {
          latent: Int32Array.from({ length: dictionaryA.latents }, (_, i) => i),
          decoderMatch: match.decoder.match,
          decoderCosine: match.decoder.cosine,
          encoderMatch: match.encoder.match,
          encoderCosine: match.encoder.cosine,
          shared,
          nearest: match.nearest.match,
          nearestCosine: match.nearest.cosine,
          activationCorrelation: agreement.correlation(),
          firingJaccard: agreement.jaccard(),
          chanceP: chance?.chanceP ?? unknown(dictionaryA.latents),
          isotropicP: chance?.isotropicP ?? unknown(dictionaryA.latents),
        });
        const curve = sharedCurve(match);
        await writeParquet(store.comparisonCurve(name), sharedCurveTable, {
          ...curve,
          chance: chance?.law.matched ?? unknown(curve.threshold.length),
          chanceDeviation: chance?.law.deviation ?? unknown(curve.threshold.length),
          nearestChance: chance?.law.nearest ?? unknown(curve.threshold.length),
        });
        const finished = manifest();
        await writeManifest(path, comparisonKind, finished);
        return finished;
      },
    );
    for (const dictionary of [a, b]) await storeStability(store, dictionary);
    if (folder) await removeBlocks(folder.path);
    return manifest;
  } finally {
    opened.dispose();
  }
}

/**
 * Does one part of what `compare` does of the same options, which takes it from where this leaves it: rows of the products of both sides,
 * codes of some of the held-out rows, and the laws of chance. Gives the number of its blocks, and of those that were not there yet.
 */
export async function comparePart(
  options: CompareOptions,
  part: Part,
): Promise<{ blocks: number; made: number }> {
  const { store, a, b, report, signal } = options;
  const opened = await openComparison(options);
  const [left, right] = [opened.a.dictionary, opened.b.dictionary];
  try {
    const folder = await BlockFolder.open(
      blockPath(store, 'compare', await comparisonFacts(options, opened)),
    );
    const names = [dictionaryKey(a), dictionaryKey(b)] as const;
    const blocks = [
      ...matchBlocks(left, right, { names, memory: opened.memory, signal }),
      ...codeBlocks(opened),
      ...(options.nulls === null
        ? []
        : comparisonChanceBlocks({
            d: left.outputWidth,
            shape: [left.latents, right.latents],
            activations: opened.activations,
            nulls: options.nulls ?? new SharedNulls(),
          })),
    ];
    return await folder.make(blocks, part, { report, signal });
  } finally {
    opened.dispose();
  }
}

const unknown = (length: number) => new Float64Array(length).fill(NaN);

function unitDecoder({ latents, d, wDec }: Autoencoder, reference: DictionaryReference) {
  return unitRows({ rows: latents, d, data: wDec }, `the decoder of ${dictionaryKey(reference)}`);
}

function measuresOf(
  match: DictionaryMatch,
  threshold: number,
  otherLatents: number,
): NonNullable<ComparisonManifest['measures']> {
  const side = (optimal: Counterparts, greedy: Counterparts, nearest: Counterparts, gap: number) => ({
    matched: matchedFraction(optimal, threshold),
    greedy: matchedFraction(greedy, threshold),
    mmcs: meanCosine(nearest),
    pwMcc: meanCosine(optimal),
    gap,
  });
  const agreeing = match.decoder.match.filter((j, i) => j >= 0 && j === match.encoder.match[i]);
  return {
    decoder: side(match.decoder, match.greedy, match.nearest, match.gaps.decoder),
    encoder: side(match.encoder, match.greedyEncoder, match.nearestEncoder, match.gaps.encoder),
    agreement: agreeing.length / match.decoder.match.length,
    otherLatents,
  };
}
