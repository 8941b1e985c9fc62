/**
 * Trains one architecture on one backend and on TF.js's plain CPU backend, from the same start and on the same batches:
 * `trainings.ts BACKEND ARCHITECTURE STEPS [STORAGE]`. Prints JSON.
 *
 * `early` is the largest relative difference of a loss in the first 200 steps. Rounding makes two runs part sooner or
 * later, so that over a whole run means are compared: `late` is the relative difference of the mean loss over the last tenth of the steps.
 * `repeats`: whether a second training has the same losses to the bit, in the first 200 steps; `withoutGraphs`, of cuda alone: whether one has that launches
 * every kernel by itself.
 */
import { backendNames, type StorageFormat } from '../../sae/backends/backend.ts';
import { startBackend } from '../../sae/backends/startBackend.ts';
import { trainUntil } from '../../sae/fixtures/smallRuns.ts';
import { architectureNames } from '../../sae/spec/architectures/architectures.ts';

const backend = backendNames.find((name) => name === process.argv[2]);
const architecture = architectureNames.find((name) => name === process.argv[3]);
const steps = Number(process.argv[4]);
const storage = (['f32', 'f16', 'bf16'] satisfies StorageFormat[]).find(
  (name) => name === (process.argv[5] ?? 'f32'),
);
if (!backend || !architecture || !storage || !(Number.isInteger(steps) && steps > 0))
  throw new Error('trainings.ts BACKEND ARCHITECTURE STEPS [STORAGE]');

await startBackend('cpu');
const want = (await trainUntil(architecture, steps, undefined, steps)).losses;
const { detail } = await startBackend(backend, { storage });
const started = performance.now();
const got = (await trainUntil(architecture, steps, undefined, steps)).losses;
const seconds = (performance.now() - started) / 1000;

const first = got.slice(0, 200);
const again = (await trainUntil(architecture, first.length, undefined, steps)).losses;
const same = (other: readonly number[]) => first.every((loss, i) => Object.is(loss, other[i]));
const repeats = same(again);
let withoutGraphs: boolean | undefined;
if (backend === 'cuda') {
  await startBackend(backend, { storage, graphs: false });
  withoutGraphs = same((await trainUntil(architecture, first.length, undefined, steps)).losses);
}

const off = (a: number, b: number) => Math.abs(a / b - 1);
const mean = (losses: readonly number[]) => {
  const last = losses.slice(-Math.ceil(steps / 10));
  return last.reduce((sum, loss) => sum + loss, 0) / last.length;
};
// Math.max drops no NaN: one makes the result NaN, which JSON writes as null and which no limit admits.
const early = Math.max(...first.map((loss, i) => off(loss, want[i])));
process.stdout.write(
  `${JSON.stringify({ device: detail, architecture, storage, steps, seconds, repeats, withoutGraphs, early, late: off(mean(got), mean(want)) })}\n`,
);
process.exit(0);
