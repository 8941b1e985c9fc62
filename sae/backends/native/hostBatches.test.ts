/** Batches of rows as they are stored, beside those that are widened and scaled number by number. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { capture } from '../../activations/capture.ts';
import { readDictionary } from '../../autoencoders/dictionaryFile.ts';
import { float16ToFloat32, float32ToFloat16 } from '../../formats/float16.ts';
import { letterCapture } from '../../fixtures/letterCapture.ts';
import type { FusedKernels } from '../../ops/fusedKernels.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import type { HostColumns } from '../../ops/rowStore.ts';
import { StoreLayout } from '../../store/layout.ts';
import { defaultTrainingConfig } from '../../training/defaults.ts';
import { train } from '../../training/train.ts';
import { startBackend } from '../startBackend.ts';

let folder: string;
let store: StoreLayout;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazyscope-host-batches-'));
  store = new StoreLayout(folder);
  await startBackend('native', { threads: 2 });
  for (const dtype of ['float16', 'float32'] as const)
    await capture({ ...letterCapture(store), name: dtype, dtype });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const rows = 301;
/** Numbers of many sizes, of which the smallest are subnormal in float16; another row for each seed. */
function numbers(d: number, seed: number): Float32Array {
  const all = Float32Array.from(
    { length: rows * d },
    (_, i) => Math.sin(seed + i * 0.37) * 10 ** ((i % 9) - 6),
  );
  return float16ToFloat32(float32ToFloat16(all));
}
function columns(all: Float32Array, d: number, dtype: HostColumns['dtype'], scale: number): HostColumns {
  const stored = dtype === 'float16' ? float32ToFloat16(all) : all;
  const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  const rowBytes = bytes.length / rows;
  return {
    d,
    dtype,
    scale,
    write: (into, first, count) => into.set(bytes.subarray(first * rowBytes, (first + count) * rowBytes)),
  };
}

test.each(['float16', 'float32'] as const)('rows of %s, alone and side by side, to the bit', (dtype) => {
  const { hostBatch = expect.fail(), scaledBatch } = fusedKernels();
  // Twice, since memory is kept; the second batch is the smaller one.
  for (const d of [67, 19]) {
    const [own, other] = [numbers(d, 1), numbers(2 * d, 5)];
    const alone = hostBatch([columns(own, d, dtype, 1)], rows, 0.731);
    const want = scaledBatch(own.slice(), d, 0.731);
    expect(alone.x.dataSync()).toEqual(want.x.dataSync());
    expect(alone.variance).toBe(want.variance);

    const [a, b] = [0.3141592653589793, 1.718281828459045];
    const joint = new Float32Array(3 * d * rows).map((_, i) => {
      const [row, column] = [Math.floor(i / (3 * d)), i % (3 * d)];
      return column < d ? own[row * d + column] * a : other[row * 2 * d + column - d] * b;
    });
    const both = hostBatch([columns(own, d, dtype, a), columns(other, 2 * d, dtype, b)], rows, 0.731);
    const wanted = scaledBatch(joint, 3 * d, 0.731);
    expect(both.x.dataSync()).toEqual(wanted.x.dataSync());
    expect(both.variance).toBe(wanted.variance);
    for (const { x } of [alone, want, both, wanted]) x.dispose();
  }
});

const [residual, neurons] = ['blocks.0.hook_resid_post', 'blocks.0.mlp.hook_post'];
test.each([
  ['plain', { hook: residual, d: 8 }],
  ['transcoder', { hook: residual, outputHook: neurons, skip: true, d: 8 }],
  ['crosscoder', { hook: `${residual},${neurons}`, d: 12 }],
] as const)(
  '%s runs from memory and from files are those of rows that JavaScript widens',
  async (kind, read) => {
    const { hostBatch = expect.fail(), ...widened } = fusedKernels();
    const asStored = vi.fn<typeof hostBatch>(hostBatch);
    for (const name of ['float16', 'float32']) {
      const config = defaultTrainingConfig('topk', {
      capture: name, ...read, width: 24, k: 3, seeds: [5], batchSize: 128, tokens: 128 * 8, deadAfter: 256,
      auxCoefficient: 0.1,
    }); // prettier-ignore
      const trained = async (run: string, kernels: FusedKernels, memoryBudget?: number) => {
        await train({ store, name: run, config, environment, kernels, memoryBudget });
        const { metadata: _, ...dictionary } = await readDictionary(store.dictionary(run, 5));
        return dictionary;
      };
      const want = await trained(`${kind}-${name}-widened`, widened);
      for (const memoryBudget of [undefined, 0]) {
        asStored.mockClear();
        const kernels = { ...widened, hostBatch: asStored };
        const run = `${kind}-${name}-${memoryBudget ?? 'memory'}`;
        expect(await trained(run, kernels, memoryBudget)).toEqual(want);
        expect(asStored).toHaveBeenCalledTimes(kind === 'transcoder' ? 16 : 8);
      }
    }
  },
);

const environment = { lazyscope: '0', node: '', platform: '', cpu: '', backend: 'native', threads: 2 };
