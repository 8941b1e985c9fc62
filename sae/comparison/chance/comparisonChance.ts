/** Chance beside the figures of one comparison: its nulls, and a p-value for each matched pair. */
import type { SelectedRows } from '../../activations/selectRows.ts';
import { discoveryLimit } from '../../numerics/benjaminiHochberg.ts';
import { Random } from '../../numerics/random.ts';
import { topPairs } from '../../ops/topPairs.ts';
import { pause } from '../../pause.ts';
import type { ComparisonChance } from '../../spec/manifests/comparison.ts';
import type { Block, BlockFolder } from '../../store/blocks.ts';
import type { Counterparts } from '../counterparts.ts';
import { gather, type Directions } from '../directions.ts';
import {
  activationSpectrum,
  activationSpectrumSteps,
  covarianceChunks,
  inEigenbasis,
  rowSpectrum,
  type ActivationSpectrum,
  type Spectrum,
} from './activationSpectrum.ts';
import { chanceBlocks, hasCovariance, leftLaws, type ChanceLaws } from './chanceBlocks.ts';
import { covarianceNull, isotropicNull, type NullLaw, type Shape } from './nullLaw.ts';
import { isotropicChance, spectrumChance } from './pairChance.ts';
import { rotatedInBlocks } from './rotatedDictionary.ts';

/** Expected share of false ones among the pairs that are called shared beyond chance. */
const falseDiscoveries = 0.05;
/** The nearest of a rotated dictionary is looked for from this many rows at most. */
const rotatedRows = 2048;

/** What is worked out once for every comparison of one shape on the same activations. Make one for a series of comparisons. */
export class SharedNulls {
  readonly #spectra = new Map<string, ActivationSpectrum | null>();
  readonly #laws = new Map<string, NullLaw>();

  spectrum(key: string, make: () => ActivationSpectrum | null): ActivationSpectrum | null {
    const known = this.#spectra.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#spectra.set(key, made);
    return made;
  }

  /** Whether a spectrum of this key is known. */
  has(key: string): boolean {
    return this.#spectra.has(key);
  }

  law(key: string, make: () => NullLaw): NullLaw {
    const known = this.#laws.get(key);
    if (known) return known;
    const made = make();
    this.#laws.set(key, made);
    return made;
  }
}

type ReadRows = Pick<SelectedRows, 'trainRows' | 'readRows' | 'width' | 'streaming'>;

/** What the laws of chance of a comparison depend on. */
export interface ChanceShape {
  d: number;
  /** Latents of both dictionaries. */
  shape: Shape;
  /** The activations that each reads, and what names them; null where they can't be read. */
  activations: { rows: ReadRows; key: string; hooks: readonly [string, string] } | null;
  nulls: SharedNulls;
  progress?: ((stage: string, done: number, total: number, unit: string) => void) | undefined;
}

export interface ComparedForChance extends Omit<ChanceShape, 'd' | 'shape'> {
  /** Unit decoder rows of both dictionaries. */
  a: Directions;
  b: Directions;
  /** The optimal matching of decoder rows. */
  matched: Counterparts;
  threshold: number;
  /** Where parts of the work may be done already. */
  folder?: Pick<BlockFolder, 'read'> | undefined;
}

export interface FoundChance {
  manifest: ComparisonChance;
  /** [latents of a]: p-values of the matched pairs, NaN without a counterpart; see `pairP`. */
  chanceP: Float64Array;
  isotropicP: Float64Array;
  /** The null that the curve is shown against: covariance where there is one. */
  law: NullLaw;
}

/** The laws, made when they are asked for. */
function lawsOf({ d, shape, activations, nulls, progress = () => {} }: ChanceShape): ChanceLaws {
  return {
    isotropic: () =>
      nulls.law(`isotropic ${d} ${shape}`, () =>
        isotropicNull(d, shape, (stage, done, total) =>
          progress(`isotropic chance: ${stage}`, done, total, 'draws'),
        ),
      ),
    covariance: () => {
      const spectra = activations && spectraOf(activations, nulls, progress);
      if (!activations || !spectra) return null;
      const law = nulls.law(`covariance ${activations.key} ${activations.hooks} ${shape}`, () =>
        covarianceNull(spectra, shape, (stage, done, total) =>
          progress(`chance: ${stage}`, done, total, 'draws'),
        ),
      );
      return { spectra, law };
    },
  };
}

/** What parts can do of the chance of a comparison: its laws. */
export function comparisonChanceBlocks(shape: ChanceShape): Block[] {
  return chanceBlocks(lawsOf(shape), () => fetchSpectra(shape));
}

/**
 * Finds the spectra of activations that are fetched as they are read, for `comparisonChance`, which can't wait for them. Nothing where they are all on this
 * disk, or where parts have left what is made of them. Throws what fetching throws.
 */
export async function fetchSpectra({
  activations,
  nulls,
  progress = () => {},
  folder,
  signal,
}: Pick<ChanceShape, 'activations' | 'nulls' | 'progress'> & {
  folder?: Pick<BlockFolder, 'read'> | undefined;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  const streaming = activations?.rows.streaming;
  if (!activations || !streaming || (folder && hasCovariance(folder))) return;
  const { rows, key, hooks } = activations;
  for (const hook of hooks) {
    if (nulls.has(`${key} ${hook}`)) continue;
    const steps = activationSpectrumSteps(rows, hook, (done, total) =>
      progress(`covariance of ${hook}`, done, total, 'tokens'),
    );
    const chunks = covarianceChunks(rows.trainRows);
    for (let at = 0; ; at++) {
      if (at < chunks.length) {
        const next =
          at + 1 < chunks.length ? ([chunks[at + 1].start, chunks[at + 1].end] as const) : undefined;
        await streaming.ready(hook, chunks[at].start, chunks[at].end - chunks[at].start, next);
      }
      const { done, value } = steps.next();
      if (!done) {
        await pause(signal, 'measuring chance');
        continue;
      }
      nulls.spectrum(`${key} ${hook}`, () => value);
      break;
    }
  }
}

export function comparisonChance(compared: ComparedForChance): FoundChance {
  const { a, b, matched, threshold, folder } = compared;
  const { d } = a;
  const laws = leftLaws(lawsOf({ ...compared, d, shape: [a.rows, b.rows] }), folder);
  const isotropic = laws.isotropic();
  const isotropicP = isotropicChance(matched, d, b.rows);
  const covariance = laws.covariance();
  const spectra = covariance?.spectra;
  const law = covariance?.law ?? isotropic;
  const chanceP = pairP(compared, spectra?.b ?? null, isotropicP);
  return {
    manifest: {
      isotropic: measuresOf(isotropic, threshold),
      ...(spectra && {
        covariance: { ...measuresOf(law, threshold), rows: spectra.b.rows },
        rotation: { mmcs: rotatedMmcs(a, b, spectra.b) },
      }),
      beyond: beyondChance(spectra ? 'covariance' : 'isotropic', chanceP),
    },
    chanceP,
    isotropicP,
    law,
  };
}

function spectraOf(
  { rows, key, hooks }: NonNullable<ChanceShape['activations']>,
  nulls: SharedNulls,
  progress: NonNullable<ChanceShape['progress']>,
): { a: ActivationSpectrum; b: ActivationSpectrum } | null {
  const [a, b] = hooks.map((hook) =>
    nulls.spectrum(`${key} ${hook}`, () =>
      activationSpectrum(rows, hook, (done, total) =>
        progress(`covariance of ${hook}`, done, total, 'tokens'),
      ),
    ),
  );
  return a && b ? { a, b } : null;
}

/**
 * The larger of two p-values for each pair: among random directions with the activations' covariance (isotropic ones where that
 * is not known), and among random directions with the second moment of b's own rows. The second is for dictionaries that spread more
 * evenly than the activations do: any two of those are nearer to each other than directions crowded along the
 * leading principal components are to either, without sharing a feature.
 */
function pairP(
  { a, b, matched, progress = () => {} }: ComparedForChance,
  spectrum: ActivationSpectrum | null,
  isotropicP: Float64Array,
): Float64Array {
  const among = (one: Spectrum, stage: string) =>
    spectrumChance(matched, a, {
      spectrum: one,
      count: b.rows,
      progress: (done) => progress(stage, done, a.rows, 'latents'),
    });
  const own = rowSpectrum(b);
  const first = spectrum ? among(spectrum, 'p-values') : isotropicP;
  if (!own) return first;
  const second = among(own, 'p-values in the shape of b');
  return first.map((p, i) => Math.max(p, second[i]));
}

function measuresOf(law: NullLaw, threshold: number): ComparisonChance['isotropic'] {
  const { mmcs, pwMcc, pwMccError, draws, extrapolated } = law;
  return { mmcs, pwMcc, pwMccError, draws, extrapolated, shared: sharedAt(law, threshold) };
}

/** Between the curve's thresholds, which are hundredths, a straight line. */
function sharedAt({ matched }: NullLaw, threshold: number): number {
  const at = Math.min(99, Math.floor(threshold * 100 + 1e-9));
  const past = threshold * 100 - at;
  return matched[at] + past * (matched[at + 1] - matched[at]);
}

function beyondChance(
  against: ComparisonChance['beyond']['null'],
  pValues: Float64Array,
): ComparisonChance['beyond'] {
  const limit = discoveryLimit(pValues, falseDiscoveries);
  const pairs = pValues.reduce((count, p) => count + (p <= limit ? 1 : 0), 0);
  return { null: against, q: falseDiscoveries, p: limit, share: pairs / pValues.length };
}

/** MMCS of a with b turned at random within blocks of like variance. */
function rotatedMmcs(a: Directions, b: Directions, spectrum: ActivationSpectrum): number {
  const random = Random.fromSeed(14, 'rotation');
  const turned = rotatedInBlocks(b, spectrum, random);
  const chosen =
    a.rows <= rotatedRows ? a : gather(a, [...random.permutation(a.rows).subarray(0, rotatedRows)]);
  const left = { ...chosen, data: inEigenbasis(spectrum, chosen.data) };
  const { best } = topPairs({ a: left, b: turned, perRow: 1, perColumn: 1 });
  return best.reduce((sum, cosine) => sum + cosine, 0) / best.length;
}
