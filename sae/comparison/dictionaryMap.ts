/**
 * A map of the two dictionaries of a comparison: decoder rows of both laid out together in the plane, so that shared
 * features lie in pairs and features of one dictionary alone lie apart. `lazyscope map` makes it, it is stored with the
 * comparison as map.parquet, and the explorer draws it.
 */
import { loadAutoencoder } from '../autoencoders/autoencoder.ts';
import { LazyscopeError } from '../errors.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { finishWithPauses } from '../steps.ts';
import type { StoreLayout } from '../store/layout.ts';
import { withLock } from '../store/lock.ts';
import { mostMapPoints } from '../spec/comparisonDefaults.ts';
import { comparisonKind } from '../spec/manifests/comparison.ts';
import { writeParquet } from '../store/parquet.ts';
import { readManifest } from '../store/readManifest.ts';
import { mapTable } from '../spec/tables/dictionaryMap.ts';
import { unitRows, type Directions } from './directions.ts';
import { nearestSteps, neighbourGraph } from './neighbourGraph.ts';
import { planarLayout, principalStart } from './planarLayout.ts';
import { dictionaryKey } from './dictionaryKey.ts';

export interface DictionaryMapOptions {
  store: StoreLayout;
  /** Name of a comparison in the store. */
  name: string;
  /** Most points of both dictionaries together; with more latents, every n-th of each is placed. */
  maxPoints?: number;
  report?: Report;
  /** Stops the map: an earlier one stays as it is. */
  signal?: AbortSignal;
}

const neighbours = 15;

/** Writes comparisons/<name>/map.parquet and returns the number of points on it. Throws 'not_found' and 'corrupt' as the readers do. */
export async function dictionaryMap(options: DictionaryMapOptions): Promise<{ points: number }> {
  const { store, name, maxPoints = mostMapPoints, report = silent, signal } = options;
  const { a, b } = await readManifest(store.comparisonManifest(name), comparisonKind);
  const rows = [];
  for (const { run, seed } of [a, b]) {
    const { wDec, latents, d, dispose } = await loadAutoencoder(store, run, seed);
    rows.push(unitRows({ rows: latents, d, data: wDec }, `the decoder of ${dictionaryKey({ run, seed })}`));
    dispose();
  }
  const points = sampled(rows, maxPoints);
  if (points.all.rows <= neighbours)
    throw new LazyscopeError(
      'bad_input',
      `A map of ${points.all.rows} points says nothing: allow more than ${neighbours}.`,
    );
  return withLock(store.comparison(name), `map of ${name}`, async () => {
    const stage = (what: string, unit: string, total: number) => (done: number) =>
      report({ stage: what, done, total, unit });
    const searching = nearestSteps(
      points.all,
      neighbours,
      stage('map: neighbours', 'latents', points.all.rows),
    );
    const nearest = await finishWithPauses(searching, signal, 'looking for neighbours');
    await pause(signal, 'laying out the map');
    const layout = await planarLayout(neighbourGraph(nearest), principalStart(points.all), {
      signal,
      progress: (done, total) => report({ stage: 'map: layout', done, total, unit: 'epochs' }),
    });
    await writeParquet(store.comparisonMap(name), mapTable, {
      side: points.side,
      latent: points.latent,
      x: layout.filter((_, at) => at % 2 === 0),
      y: layout.filter((_, at) => at % 2 === 1),
    });
    return { points: points.all.rows };
  });
}

/** Every n-th row of each dictionary, the rows of a before those of b. */
function sampled(
  dictionaries: readonly Directions[],
  most: number,
): { all: Directions; side: Int32Array; latent: Int32Array } {
  const total = dictionaries.reduce((sum, { rows }) => sum + rows, 0);
  const stride = Math.max(1, Math.ceil(total / most));
  const [{ d }] = dictionaries;
  const rows = dictionaries.reduce((sum, one) => sum + Math.ceil(one.rows / stride), 0);
  const data = new Float32Array(rows * d);
  const side = new Int32Array(rows);
  const latent = new Int32Array(rows);
  let at = 0;
  dictionaries.forEach((one, s) => {
    for (let i = 0; i < one.rows; i += stride, at++) {
      data.set(one.data.subarray(i * d, (i + 1) * d), at * d);
      side[at] = s;
      latent[at] = i;
    }
  });
  return { all: { rows, d, data }, side, latent };
}
