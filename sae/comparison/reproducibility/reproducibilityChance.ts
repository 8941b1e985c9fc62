/** Chance for every latent of every seed of a run: the random dictionaries of returnChance.ts, with the shape of the run's own data. */
import { parseExclusionRule } from '../../activations/exclusionRule.ts';
import { openCaptureOf } from '../../activations/jointRows.ts';
import { selectRows } from '../../activations/selectRows.ts';
import { loadAutoencoder } from '../../autoencoders/autoencoder.ts';
import { isLazyscopeError } from '../../errors.ts';
import { pause } from '../../pause.ts';
import type { Report } from '../../progress.ts';
import { hooksOf } from '../../spec/hooksOf.ts';
import type { Reproducibility } from '../../spec/manifests/reproducibility.ts';
import type { RunManifest } from '../../spec/manifests/run.ts';
import { finishWithPauses, type Steps } from '../../steps.ts';
import type { StoreLayout } from '../../store/layout.ts';
import { covarianceSteps, maximumSpectrumWidth, rowSpectrum, spectrumOfCovariance, type Covariance, type Spectrum } from '../chance/activationSpectrum.ts'; // prettier-ignore
import { shapeOfCovarianceSteps, shapeOfSpectrum, type DirectionShape } from '../chance/directionShape.ts';
import { gather, unitRows, type Directions } from '../directions.ts';
import {
  curveSteps,
  returnChanceCurveSteps,
  returnChanceSteps,
  type ReturnChanceCurve,
} from './returnChance.ts';

export interface RunChance {
  /** By seed, [latents]: see returnChance. */
  readonly latents: ReadonlyMap<number, Float64Array>;
  readonly curve: ReturnChanceCurve;
  readonly null: Reproducibility['null'];
  /** Of the activations, however wide; null where it is not known. */
  readonly activations: DirectionShape | null;
}

interface Work {
  readonly store: StoreLayout;
  readonly report: Report;
  readonly signal: AbortSignal | undefined;
}

/** Latents of all seeds together over which the curve is averaged. */
const curveLatents = 256;

export async function runChance(run: RunManifest, threshold: number, work: Work): Promise<RunChance> {
  const { seeds, width: count } = run.config;
  const { report, signal } = work;
  const covariance = await covarianceOfActivations(run, work);
  const activations =
    covariance && covariance.d <= maximumSpectrumWidth ? spectrumOfCovariance(covariance) : null;
  const blank = () => new Float64Array(curveSteps + 1);
  const curve = { every: blank(), any: blank(), mean: blank() };
  const latents = new Map<number, Float64Array>();
  let preferred = activations !== null;
  for (const [at, seed] of seeds.entries()) {
    const rows = await decoderRows(work.store, run.name, seed);
    const others = rowSpectrum(await decoderRows(work.store, run.name, seeds[(at + 1) % seeds.length]));
    const spectra = [activations, others].filter((one): one is Spectrum => one !== null);
    preferred ||= spectra.length > 0;
    const progress = (done: number) =>
      report({ stage: `chance, seed ${seed}`, done, total: rows.rows, unit: 'latents' });
    const withPauses = <Result>(steps: Steps<Result>) => finishWithPauses(steps, signal, 'measuring chance');
    await pause(signal, 'measuring chance');
    latents.set(seed, await withPauses(returnChanceSteps(rows, threshold, { spectra, count, progress })));
    const sample = spreadOver(rows, Math.ceil(curveLatents / seeds.length));
    const part = await withPauses(returnChanceCurveSteps(sample, seeds.length - 1, { spectra, count }));
    for (const key of ['every', 'any', 'mean'] as const)
      part[key].forEach((share, step) => (curve[key][step] += share / seeds.length));
    await pause(signal, 'measuring chance');
  }
  const shape = activations ? 'covariance' : preferred ? 'rows' : 'isotropic';
  const shaped = activations
    ? shapeOfSpectrum(activations)
    : covariance && (await finishWithPauses(shapeOfCovarianceSteps(covariance), signal, 'measuring chance'));
  return { latents, curve, null: shape, activations: shaped };
}

/** Of the rows that the run was trained on; null where its capture is gone or of another hook point. */
async function covarianceOfActivations(
  run: RunManifest,
  { store, report, signal }: Work,
): Promise<Covariance | null> {
  // Decoder rows are directions of what is predicted.
  const hook = run.config.outputHook ?? run.config.hook;
  let capture;
  try {
    capture = await openCaptureOf(store, run);
  } catch (error) {
    if (isLazyscopeError(error) && error.code === 'not_found') return null;
    throw error;
  }
  try {
    const known = capture.manifest.hooks.find((one) => one.hook === hook);
    if (known?.width !== run.d) return null;
    const rule = parseExclusionRule(run.exclusion?.rule ?? 'none');
    const steps = covarianceSteps(selectRows(capture, hooksOf(run.config), rule), hook, (done, total) =>
      report({ stage: `covariance of ${hook}`, done, total, unit: 'tokens' }),
    );
    return await finishWithPauses(steps, signal, 'measuring chance');
  } finally {
    capture.close();
  }
}

/** Unit decoder rows of one seed. */
export async function decoderRows(store: StoreLayout, run: string, seed: number): Promise<Directions> {
  const dictionary = await loadAutoencoder(store, run, seed);
  try {
    const { latents, d, wDec } = dictionary;
    return unitRows({ rows: latents, d, data: wDec }, `the decoder of ${run}/${seed}`);
  } finally {
    dictionary.dispose();
  }
}

/** At most `count` rows, at equal distances. */
function spreadOver(rows: Directions, count: number): Directions {
  if (rows.rows <= count) return rows;
  return gather(
    rows,
    Array.from({ length: count }, (_, i) => Math.floor((i * rows.rows) / count)),
  );
}
