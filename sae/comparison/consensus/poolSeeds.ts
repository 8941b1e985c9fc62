/** Several seeds of a run as one pool: their dictionaries, the counterparts among them, and what each latent is worth to reconstruction. */
import { parseExclusionRule } from '../../activations/exclusionRule.ts';
import { LazyscopeError } from '../../errors.ts';
import { openCapture } from '../../activations/openCapture.ts';
import { selectRows } from '../../activations/selectRows.ts';
import { autoencoderFrom } from '../../autoencoders/autoencoder.ts';
import { readDictionary, type StoredDictionary } from '../../autoencoders/dictionaryFile.ts';
import type { Report } from '../../progress.ts';
import type { ComparisonManifest } from '../../spec/manifests/comparison.ts';
import type { RunManifest } from '../../spec/manifests/run.ts';
import type { StoreLayout } from '../../store/layout.ts';
import { queryParquet } from '../../store/parquet.ts';
import { storedComparisons } from '../storedCounterparts.ts';
import { comparisonsOfSeeds } from '../reproducibility/seedCosines.ts';
import { trainingCodes } from '../reproducibility/worth/heldOutCodes.ts';
import { surveyLatents } from '../reproducibility/worth/surveyLatents.ts';
import { agreedLatents, type Component, type Link } from './agreedLatents.ts';

export interface Pool {
  readonly parents: readonly StoredDictionary[];
  readonly components: readonly Component[];
  /** By parent, [latents]: by how much the squared error on training rows grows without the latent. */
  readonly values: readonly Float64Array[];
}

/** Training rows on which latents are valued. */
const valuedRows = 8192;

/** `seeds` are some of the run's, all pairs of which are compared. Throws 'bad_input' for a pair that is not, and what readers throw. */
export async function poolSeeds(
  run: RunManifest,
  seeds: readonly number[],
  {
    store,
    threshold,
    report,
    signal,
  }: { store: StoreLayout; threshold: number; report: Report; signal: AbortSignal | undefined },
): Promise<Pool> {
  if (run.config.outputHook !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `Run '${run.name}' is of transcoders, of which no consensus is made: give a run of autoencoders.`,
    );
  if (run.layers)
    throw new LazyscopeError(
      'bad_input',
      `Run '${run.name}' is of crosscoders, of which no consensus is made: give a run of autoencoders.`,
    );
  const comparisons = comparisonsOfSeeds(run.name, seeds, await storedComparisons(store));
  const links: Link[] = [];
  for (const comparison of comparisons) links.push(...(await linksOf(store, comparison, seeds, threshold)));
  const parents: StoredDictionary[] = [];
  for (const seed of seeds) parents.push(await readDictionary(store.dictionary(run.name, seed)));
  parents.forEach(refuseNormalising);
  const components = agreedLatents(seeds.length, run.config.width, links);

  const capture = await openCapture(store, run.config.capture);
  const values: Float64Array[] = [];
  try {
    const { hook } = run.config;
    const rows = selectRows(capture, [hook], parseExclusionRule(run.exclusion?.rule ?? 'none'));
    const total = Math.min(rows.trainRows, valuedRows);
    for (const [at, parent] of parents.entries()) {
      const autoencoder = autoencoderFrom(parent);
      try {
        const coded = trainingCodes({ autoencoder, rows, hook }, total, {
          stage: `value of the latents of seed ${seeds[at]}`,
          report,
          signal,
        });
        values.push((await surveyLatents(coded, autoencoder)).errorChange);
      } finally {
        autoencoder.dispose();
      }
    }
  } finally {
    capture.close();
  }
  return { parents, components, values };
}

async function linksOf(
  store: StoreLayout,
  { name, a, b }: ComparisonManifest,
  seeds: readonly number[],
  threshold: number,
): Promise<Link[]> {
  const rows = await queryParquet(
    'SELECT latent, "decoderMatch" AS other, least("decoderCosine", "encoderCosine") AS cosine FROM read_parquet($path) WHERE "decoderMatch" >= 0 AND "decoderMatch" = "encoderMatch"',
    { path: store.comparisonMatches(name) },
  );
  const [left, right] = [seeds.indexOf(a.seed), seeds.indexOf(b.seed)];
  return rows.flatMap(({ latent, other, cosine }) =>
    // A few 1e-8 are lost in single precision, and a copy must still reach a threshold of 1.
    Number(cosine) + 1e-6 >= threshold
      ? [
          {
            a: { dictionary: left, latent: Number(latent) },
            b: { dictionary: right, latent: Number(other) },
            cosine: Number(cosine),
          },
        ]
      : [],
  );
}

/** Training has no such normalisation, so that it can't go on from the dictionary. Throws `bad_input`. */
export function refuseNormalising({ metadata: { run, normalisation } }: StoredDictionary): void {
  if (normalisation)
    throw new LazyscopeError(
      'bad_input',
      `The dictionaries of run '${run}' normalise each activation (${normalisation}), which training does not: give another run.`,
    );
}
