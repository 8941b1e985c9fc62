/**
 * What a training step on `webgpu` costs the host, measured without a GPU:
 *
 *     npm run bench:webgpu-host -- [--arch topk] [--storage f32] [--d 128] [--width 24576] [--batch 2048] [--k 32] [--dead 0] [--steps 200] [--calls] [--vulkan] [--json]
 *
 * The device is Dawn's null device, which accepts every command and runs none, so a step takes as long as the host does: recording in
 * JavaScript, the calls into Dawn with its checks, copies to and from memory that a device reads, garbage collection. What is left out is the work of the
 * Vulkan driver when commands are submitted. `--vulkan` takes the machine's driver instead; with a software driver, sizes have to be small enough that the
 * device's own time vanishes.
 *
 * `--calls` counts the calls into Dawn by kind, and times them, which makes the step slower; its `ms` are of the slower one. Bytes allocated are those of
 * JavaScript's heap, from its size before and after each collection.
 */
import { parseArgs } from 'node:util';
import { GCProfiler } from 'node:v8';
import { loadDawn } from '../../sae/backends/webgpu/dawn.ts';
import { countNativeCalls, type NativeCalls } from '../../sae/backends/webgpu/nativeCalls.ts';
import { startBackend } from '../../sae/backends/startBackend.ts';
import type { FusedKernels } from '../../sae/ops/fusedKernels.ts';
import { fusedKernels } from '../../sae/ops/kernelTable.ts';
import { architectureNames, type ArchitectureName } from '../../sae/spec/architectures/architectures.ts';
import { tf, type Tensor } from '../../sae/tensor/tf.ts';
import { Trainer } from '../../sae/training/trainer.ts';
import { table } from '../commandLine/table.ts';
import { plantedConfig, plantedTraining } from './plantedTraining.ts';

const { values: given } = parseArgs({
  options: {
    arch: { type: 'string', default: 'topk' },
    storage: { type: 'string', default: 'f32' },
    d: { type: 'string', default: '128' },
    width: { type: 'string', default: '24576' },
    batch: { type: 'string', default: '2048' },
    k: { type: 'string', default: '32' },
    l0: { type: 'string', default: '64' },
    dead: { type: 'string', default: '0' },
    steps: { type: 'string', default: '200' },
    calls: { type: 'boolean', default: false },
    vulkan: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const architecture = architectureNames.find((name) => name === given.arch);
const storage = (['f32', 'f16'] as const).find((name) => name === given.storage);
if (!architecture || !storage)
  throw new TypeError('--arch is one of the architectures, --storage f32 or f16.');
const [d, width, batchSize, k, l0, dead, steps] = [
  given.d, given.width, given.batch, given.k, given.l0, given.dead, given.steps,
].map(Number); // prettier-ignore
/** Steps before any is counted: the JIT compiles, and pools fill. */
const warmUp = 30;

const { trainer } = await prepared(architecture);
const dawn = await loadDawn();
const counts: NativeCalls = given.calls ? countNativeCalls(dawn.classes) : new Map();
for (let step = 0; step < warmUp; step++) await trainer.advance(false);
for (const count of counts.values()) Object.assign(count, { calls: 0, ms: 0 });
const before = fusedKernels().hostTimes?.() ?? { waiting: 0, upload: 0, record: 0, submit: 0 };
const profiler = new GCProfiler();
profiler.start();
const heapBefore = process.memoryUsage().heapUsed;
const times: number[] = [];
const cpuBefore = process.cpuUsage();
for (let step = 0; step < steps; step++) {
  const begun = performance.now();
  await trainer.advance(false);
  times.push(performance.now() - begun);
}
const cpu = process.cpuUsage(cpuBefore);
const heapAfter = process.memoryUsage().heapUsed;
const collections = profiler.stop().statistics;
const after = fusedKernels().hostTimes?.() ?? before;
const mean = (sum: number) => sum / steps;
const sorted = [...times].sort((a, b) => a - b);
const all = times.reduce((sum, ms) => sum + ms, 0);
const part = (name: keyof typeof before) => mean(after[name] - before[name]);
const document = {
  architecture, storage, d, width, batch: batchSize, k, l0, dead, steps,
  device: given.vulkan ? 'vulkan' : 'null',
  stepMs: { median: sorted[steps >> 1], tenth: sorted[Math.floor(steps / 10)], mean: mean(all), processor: mean((cpu.user + cpu.system) / 1000) },
  hostParts: {
    upload: part('upload'), record: part('record'), submit: part('submit'), waiting: part('waiting'),
    other: mean(all) - part('record') - part('waiting'),
  },
  garbage: {
    kilobytes: mean(allocated(heapBefore, heapAfter, collections)) / 1000,
    ms: mean(collections.reduce((sum, { cost }) => sum + cost, 0) / 1000),
  },
  calls: Object.fromEntries(
    [...counts].filter(([, { calls }]) => calls > 0).map(([name, { calls, ms }]) => [name, { calls: mean(calls), ms: mean(ms) }]),
  ),
}; // prettier-ignore
console.log(given.json ? JSON.stringify(document, null, 2) : described(document));
process.exit(0);

async function prepared(name: ArchitectureName) {
  const config = plantedConfig(name, { d, width, k, batchSize, seeds: 1 });
  // The null device makes no data.
  if (!given.vulkan) await startBackend('native');
  else await startBackend('webgpu', { storage });
  const { source, state, bandwidth } = plantedTraining(config, d, l0, dead);
  if (!given.vulkan) await loadDawn({ device: 'null' });
  await startBackend('webgpu', { storage });
  const kernels = given.vulkan ? fusedKernels() : answering(fusedKernels());
  const batches = Array.from({ length: 4 }, () => source.next());
  let turn = 0;
  const next = () => batches[turn++ % batches.length];
  const fitted = 'bandwidth' in config ? { ...config, bandwidth } : config;
  return { trainer: new Trainer(fitted, { ...source, next }, state, kernels) };
}

/** These kernels with answers of a step that goes well, in place of the undefined ones of a device that runs nothing. */
function answering(kernels: FusedKernels): FusedKernels {
  const known = new WeakMap<Tensor, (values: ArrayLike<number>) => ArrayLike<number>>();
  const listed = batchSize * l0;
  return {
    ...kernels,
    thresholdEncode(x, encoder, selection) {
      const entries = kernels.thresholdEncode(x, encoder, { ...selection, expected: listed });
      const { count } = entries.listed ?? {};
      if (count instanceof tf.Tensor) known.set(count, () => [listed]);
      return entries;
    },
    firings(entries, threshold) {
      const made = kernels.firings(entries, threshold);
      const alive = new Int32Array(width).fill(1, 0, width - dead);
      if (made.counts instanceof tf.Tensor) known.set(made.counts, () => alive);
      return made;
    },
    async readBack(tensors) {
      const answers = tensors.map((tensor) => known.get(tensor));
      const values = (await kernels.readBack?.(tensors)) ?? [];
      return values.map((read, i) => answers[i]?.(read) ?? Array.from(read, () => 1));
    },
  };
}

/** Bytes that were allocated between two sizes of the heap. */
function allocated(from: number, to: number, passes: readonly { beforeGC: Heap; afterGC: Heap }[]): number {
  let [sum, last] = [0, from];
  for (const { beforeGC, afterGC } of passes) {
    sum += Math.max(0, beforeGC.heapStatistics.usedHeapSize - last);
    last = afterGC.heapStatistics.usedHeapSize;
  }
  return sum + Math.max(0, to - last);
}

interface Heap {
  readonly heapStatistics: { readonly usedHeapSize: number };
}

function described({ stepMs, hostParts, garbage, calls, ...what }: typeof document): string {
  const ms = (value: number) => value.toFixed(2);
  const parts = Object.entries(hostParts).map(([name, value]) => `${name} ${ms(value)}`);
  const byTime = Object.entries(calls).sort(([, a], [, b]) => b.ms - a.ms);
  const sum = byTime.reduce((total, [, one]) => ({ calls: total.calls + one.calls, ms: total.ms + one.ms }), {
    calls: 0,
    ms: 0,
  });
  const rows = [...byTime, ['all', sum] as const].map(([name, one]) => [
    name,
    one.calls.toFixed(1),
    ms(one.ms),
  ]);
  return `${JSON.stringify(what)}
${ms(stepMs.median)} ms a step (median; a tenth below ${ms(stepMs.tenth)}, mean ${ms(stepMs.mean)}; ${ms(stepMs.processor)} of processor time of all threads), as means ${parts.join(', ')};
${garbage.kilobytes.toFixed(0)} kB allocated, ${ms(garbage.ms)} ms in garbage collection.${byTime.length > 0 ? `\n${table(['call', 'a step', 'ms'], rows)}` : ''}`;
}
