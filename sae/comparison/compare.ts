/**
 * Compares two trained dictionaries and stores what was found: comparisons/<name>/ with matches.parquet,
 * curve.parquet and, last, comparison.json, which says that the others are whole.
 */
import { rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import {
  type ExclusionRule,
  parseExclusionRule,
  printExclusionRule,
  strictest,
} from '../activations/exclusionRule.ts';
import { rowsOfRun } from '../activations/jointRows.ts';
import { openCapture, type Capture } from '../activations/openCapture.ts';
import { loadAutoencoder, type Autoencoder } from '../autoencoders/autoencoder.ts';
import { selectRows, type SelectedRows } from '../activations/selectRows.ts';
import { LazyscopeError } from '../errors.ts';
import { checkTrainedOn } from '../evaluation/openDictionary.ts';
import { parseHookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { pause, throwIfStopped } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { finishWithPauses } from '../steps.ts';
import type { StoreLayout } from '../store/layout.ts';
import { withLock } from '../store/lock.ts';
import { hooksIn, isJoint } from '../spec/jointHook.ts';
import type { Layer } from '../spec/layers.ts';
import { sharedThreshold } from '../spec/comparisonDefaults.ts';
import { runKind } from '../spec/manifests/run.ts';
import type { RunManifest } from '../spec/manifests/run.ts';
import { comparisonKind } from '../spec/manifests/comparison.ts';
import type { ComparisonManifest, DictionaryReference } from '../spec/manifests/comparison.ts';
import { writeParquet } from '../store/parquet.ts';
import { readManifest } from '../store/readManifest.ts';
import { checkManifest, writeManifest } from '../store/writeManifest.ts';
import { sharedCurveTable } from '../spec/tables/sharedCurve.ts';
import { matchTable } from '../spec/tables/matches.ts';
import { tf } from '../tensor/tf.ts';
import { ActivationAgreement } from './activationAgreement.ts';
import { comparisonChance, SharedNulls } from './chance/comparisonChance.ts';
import type { Counterparts } from './counterparts.ts';
import { unitRows } from './directions.ts';
import { functionalSwap } from './functionalSwap.ts';
import { matchSteps, type DictionaryMatch } from './matchDictionaries.ts';
import { planMemory } from './memoryPlan.ts';
import { meanCosine, sharedCurve, sharedLatents, matchedFraction } from './sharedFraction.ts';
import { dictionaryKey } from './dictionaryKey.ts';
import { storeStability } from './storedStability.ts';

/** Which two dictionaries to compare, and how. */
export interface CompareOptions {
  store: StoreLayout;
  name: string;
  a: DictionaryReference;
  b: DictionaryReference;
  /** Both cosines must reach it for a latent to count as shared. */
  threshold?: number;
  /** Held-out tokens on which activations are compared, from the first one; 0 leaves activations out. */
  maxTokens?: number;
  /** Bytes the process may take, without a limit by default. Checked before anything is read. */
  memory?: number;
  /** Relative optimality gap at which the sparse solver stops, for dictionaries too wide for the exact one. */
  targetGap?: number;
  /** The model of a's capture. When given, the functional swap of functionalSwap.ts is measured as well. */
  model?: LanguageModel;
  /** Rows on which activations are not compared; by default those that the training of either left out. */
  exclude?: ExclusionRule;
  /** What chance comparisons of one shape have in common, made once for a series of them; null leaves chance out. */
  nulls?: SharedNulls | null;
  report?: Report;
  /** Stops the comparison: an earlier one of this name stays as it is. */
  signal?: AbortSignal;
}

/** The widest dictionary that comparison is built and measured for. */
export const maximumLatents = 131_072;

const batchRows = 1024;

/**
 * Compares dictionaries `a` and `b` by the definitions of METHODS.md §3. Activations are compared on the held-out tokens of a's capture, each dictionary at its own hook
 * point, so that runs of different layers can be compared when one capture has both.
 *
 * A stored comparison of the same two dictionaries by that name is replaced. Throws 'conflict' when the name belongs to another
 * pair, 'bad_input' for dictionaries that can't be compared, and what the readers throw for runs that don't exist.
 */
export async function compare(options: CompareOptions): Promise<ComparisonManifest> {
  const { store, name, a, b, threshold = sharedThreshold, report = silent, signal } = options;
  const started = performance.now();
  const folder = store.comparison(name);
  checkThreshold(threshold);
  await checkName(store, name, a, b);
  const [runA, runB] = await Promise.all(
    [a, b].map(({ run }) => readManifest(store.runManifest(run), runKind)),
  );
  const sizes = { a: runA.config.width, b: runB.config.width, d: runA.d };
  const memory = planMemory(sizes, options.memory === undefined ? {} : { budget: options.memory });
  const maxTokens = options.maxTokens ?? comparedTokens(Math.max(sizes.a, sizes.b));
  const capture = await openCapture(store, runA.config.capture);
  if (maxTokens > 0) checkHook(capture, runB, b);
  const rule = options.exclude ?? strictest(ruleOf(runA), ruleOf(runB));
  if (options.model) await checkSwap(capture, { model: options.model, runA, runB });
  const dictionaryA = await loadAutoencoder(store, a.run, a.seed);
  const dictionaryB = await loadAutoencoder(store, b.run, b.seed);
  // The matching passes over a cosine matrix by rows of the narrower dictionary, which is what progress counts.
  const smaller = Math.min(dictionaryA.latents, dictionaryB.latents);
  try {
    checkSizes(dictionaryA, a);
    checkSizes(dictionaryB, b);
    if (dictionaryA.d !== dictionaryB.d)
      throw new LazyscopeError(
        'bad_input',
        `'${dictionaryKey(a)}' reads activations of width ${dictionaryA.d} and '${dictionaryKey(b)}' of width ${dictionaryB.d}: compare runs on activations of one width.`,
      );
    const manifest = await withLock(
      folder,
      `compare ${dictionaryKey(a)} with ${dictionaryKey(b)}`,
      async () => {
        const matching = matchSteps(dictionaryA, dictionaryB, {
          names: [dictionaryKey(a), dictionaryKey(b)],
          memory,
          targetGap: options.targetGap,
          progress: (stage, done) => report({ stage, done, total: smaller, unit: 'latents' }),
        });
        const match = await finishWithPauses(matching, signal, 'matching latents');
        const hooks = maxTokens > 0 ? [runA.config.hook, runB.config.hook] : [];
        const rows = selectRows(capture, hooks.flatMap(hooksIn), rule);
        const agreement = await compareActivations(
          { dictionary: dictionaryA, hook: runA.config.hook, rows: rowsOfRun(rows, runA) },
          { dictionary: dictionaryB, hook: runB.config.hook, rows: rowsOfRun(rows, runB) },
          { match: match.decoder.match, maxTokens, report, signal },
        );
        const shared = sharedLatents(match, threshold);
        const swap =
          options.model &&
          (await functionalSwap({
            a: dictionaryA,
            b: dictionaryB,
            hook: parseHookPoint(runA.config.hook).name,
            capture,
            rows,
            model: options.model,
            match: match.decoder.match,
            shared,
            report,
            signal,
          }));
        const chance =
          options.nulls === null
            ? null
            : comparisonChance({
                a: unitDecoder(dictionaryA, a),
                b: unitDecoder(dictionaryB, b),
                matched: match.decoder,
                threshold,
                activations: readActivations(capture, [runA, runB], rule),
                nulls: options.nulls ?? new SharedNulls(),
                progress: (stage, done, total, unit) => report({ stage, done, total, unit }),
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
        await rm(path, { force: true });
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
    return manifest;
  } finally {
    dictionaryA.dispose();
    dictionaryB.dispose();
    capture.close();
  }
}

/** Default for maxTokens, smaller for wide dictionaries, so that encoding takes at most a quarter of the time of one product of the two. */
function comparedTokens(latents: number): number {
  return latents <= 8192 ? 32_768 : Math.max(8192, latents / 8);
}

const unknown = (length: number) => new Float64Array(length).fill(NaN);

function unitDecoder({ latents, d, wDec }: Autoencoder, reference: DictionaryReference) {
  return unitRows({ rows: latents, d, data: wDec }, `the decoder of ${dictionaryKey(reference)}`);
}

/** The rows that both dictionaries were trained on, of one capture; null where b reads a hook point that this capture lacks. */
function readActivations(capture: Capture, [a, b]: readonly [RunManifest, RunManifest], rule: ExclusionRule) {
  // Chance is of decoder rows, which a transcoder has among its outputs.
  const hooks = [a.config.outputHook ?? a.config.hook, b.config.outputHook ?? b.config.hook] as const;
  const { manifest } = capture;
  const has = (hook: string, width?: number) =>
    manifest.hooks.some((known) => known.hook === hook && known.width === (width ?? known.width));
  if (!hooks.every((hook) => (isJoint(hook) ? hooksIn(hook).every((own) => has(own)) : has(hook, a.d))))
    return null;
  // Two crosscoders of one name whose activations are scaled otherwise would need two of them.
  if (hooks[0] === hooks[1] && !isDeepStrictEqual(a.layers, b.layers)) return null;
  const scales = JSON.stringify([a.layers, b.layers]);
  const key = `${manifest.name} ${manifest.createdAt} ${printExclusionRule(rule)} ${scales}`;
  const rows = selectRows(capture, hooks.flatMap(hooksIn), rule);
  return { rows: rowsOfRun(rowsOfRun(rows, a), b), key, hooks };
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

interface Side {
  dictionary: Autoencoder;
  hook: string;
  /** The same rows of the capture on both sides. */
  rows: SelectedRows;
}

async function compareActivations(
  a: Side,
  b: Side,
  {
    match,
    maxTokens,
    report,
    signal,
  }: {
    match: Int32Array;
    maxTokens: number;
    report: Report;
    signal: AbortSignal | undefined;
  },
): Promise<ActivationAgreement> {
  const agreement = new ActivationAgreement(match, b.dictionary.latents);
  const total = Math.min(a.rows.heldOutRows, maxTokens);
  for (let done = 0; done < total;) {
    const rows = Math.min(batchRows, total - done);
    const encode = ({ dictionary, hook, rows: own }: Side) => {
      const x = tf.tensor2d(own.readRows(hook, own.trainRows + done, rows), [rows, dictionary.d]);
      const code = dictionary.encode(x);
      x.dispose();
      return code;
    };
    agreement.add(encode(a), encode(b));
    done += rows;
    report({ stage: 'compare activations', done, total, unit: 'tokens' });
    await pause(signal, 'comparing activations');
  }
  return agreement;
}

function checkThreshold(threshold: number): void {
  if (threshold >= 0 && threshold <= 1) return;
  throw new LazyscopeError('bad_input', `The threshold is a cosine between 0 and 1, but got ${threshold}.`);
}

async function checkName(
  store: StoreLayout,
  name: string,
  a: DictionaryReference,
  b: DictionaryReference,
): Promise<void> {
  if (!existsSync(store.comparisonManifest(name))) return;
  const old = await readManifest(store.comparisonManifest(name), comparisonKind);
  if (dictionaryKey(old.a) === dictionaryKey(a) && dictionaryKey(old.b) === dictionaryKey(b)) return;
  throw new LazyscopeError(
    'conflict',
    `The comparison '${name}' is of '${dictionaryKey(old.a)}' with '${dictionaryKey(old.b)}': choose another name.`,
  );
}

const ruleOf = (run: RunManifest) => parseExclusionRule(run.exclusion?.rule ?? 'none');

function checkHook(capture: Capture, run: RunManifest, reference: DictionaryReference): void {
  const { hooks } = capture.manifest;
  const layers = run.layers ?? [{ hook: run.config.hook, width: run.d }];
  const has = ({ hook, width }: Pick<Layer, 'hook' | 'width'>) =>
    hooks.some((known) => known.hook === hook && known.width === width);
  if (layers.every(has)) return;
  throw new LazyscopeError(
    'bad_input',
    `The capture '${capture.manifest.name}' has no '${run.config.hook}' of width ${run.d}, which '${dictionaryKey(reference)}' reads: compare runs whose hook points are in one capture.`,
  );
}

async function checkSwap(
  capture: Capture,
  { model, runA, runB }: { model: LanguageModel; runA: RunManifest; runB: RunManifest },
): Promise<void> {
  const transcoder = [runA, runB].find(({ config }) => config.outputHook !== undefined);
  if (transcoder)
    throw new LazyscopeError(
      'bad_input',
      `Run '${transcoder.name}' is of transcoders, whose latents can't stand in for those of another: compare it without --swap.`,
    );
  const crosscoder = [runA, runB].find(({ layers }) => layers);
  if (crosscoder)
    throw new LazyscopeError(
      'bad_input',
      `Run '${crosscoder.name}' is of crosscoders, whose latents stand at several hook points at once: compare it without --swap.`,
    );
  if (runA.config.hook !== runB.config.hook)
    throw new LazyscopeError(
      'bad_input',
      `Latents that read '${runB.config.hook}' can't stand in at '${runA.config.hook}': swap between runs of one hook point.`,
    );
  await checkTrainedOn(model, runA.name, capture);
  if (capture.heldOutRows === 0)
    throw new LazyscopeError(
      'bad_input',
      `Capture '${capture.manifest.name}' holds nothing out to swap latents on: capture with a held-out fraction.`,
    );
}

function checkSizes(dictionary: Autoencoder, reference: DictionaryReference): void {
  if (dictionary.outputWidth !== dictionary.d)
    throw new LazyscopeError(
      'bad_input',
      `'${dictionaryKey(reference)}' reads activations of width ${dictionary.d} and predicts width ${dictionary.outputWidth}: only dictionaries of one width are compared.`,
    );
  if (dictionary.latents <= maximumLatents) return;
  throw new LazyscopeError(
    'bad_input',
    `'${dictionaryKey(reference)}' has ${dictionary.latents} latents, but comparison stops at ${maximumLatents}: compare narrower dictionaries.`,
  );
}
