/**
 * Rows of activations that stay on a device, beside those that go by the host: `rows.ts BACKEND [small]`. Prints JSON.
 *
 * `different` counts the batches that are not the same to the bit, and the norms that are not the host's. Times are milliseconds, medians of `repeats`: of storing a
 * pass's activations, and of a batch until it is made, with how long the host takes for it (`host`).
 */
import { HostRows } from '../../sae/activations/rowMemory.ts';
import { backendNames } from '../../sae/backends/backend.ts';
import { startBackend } from '../../sae/backends/startBackend.ts';
import { Random } from '../../sae/numerics/random.ts';
import { disposeComputed, hostNumber } from '../../sae/ops/computed.ts';
import { fusedKernels } from '../../sae/ops/kernelTable.ts';
import type { Batch } from '../../sae/ops/trainingStep.ts';
import type { RowStore } from '../../sae/ops/rowStore.ts';
import { tf, type Tensor2D } from '../../sae/tensor/tf.ts';

const name = backendNames.find((known) => known === process.argv[2]);
if (!name) throw new Error(`rows.ts BACKEND [small]: choose one of ${backendNames.join(', ')}.`);
const small = process.argv[3] === 'small';
const { detail } = await startBackend(name);
const kernels = fusedKernels();
const { rowStores } = kernels;
if (!rowStores) throw new Error(`Backend ${name} computes in memory of the host.`);
const stores = rowStores;

const size = small
  ? { d: 64, rows: 1024, pass: 256, batch: 256 }
  : { d: 768, rows: 65_536, pass: 4096, batch: 4096 };
const repeats = small ? 3 : 15;
const random = Random.fromSeed(7, 'rows');
const upTo = (n: number) => Int32Array.from({ length: n }, (_, i) => i);
const drawn = () => Int32Array.from({ length: size.batch }, () => random.below(size.rows));

const result: Record<string, unknown> = {};
let different = 0;
for (const dtype of ['float16', 'float32'] as const) {
  const { d, rows, pass } = size;
  const host = new HostRows(rows, d, dtype);
  const store = stores.open(rows, d, dtype);
  const times = { hostStore: [] as number[], deviceStore: [] as number[] };
  for (let first = 0; first < rows; first += pass) {
    const values = Float32Array.from(random.normals(pass * d), (value, i) => value * 2 ** ((i % 40) - 30));
    // An activation that the device has made.
    const x = tf.tidy(() => tf.tensor2d(values, [pass, d]).mul<Tensor2D>(1));
    const last = x.sum();
    await last.data();
    last.dispose();
    const norms = new Float32Array(pass);
    times.hostStore.push(
      await timed(async () => {
        const all = await x.data<'float32'>();
        for (let row = 0; row < pass; row++)
          norms[row] = host.put(all.subarray(row * d, (row + 1) * d), first + row);
      }),
    );
    let ofDevice = new Float32Array();
    times.deviceStore.push(
      await timed(async () => {
        ofDevice = Float32Array.from(await store.norms(x));
        store.put(x, upTo(pass), first);
      }),
    );
    different += ofDevice.filter((norm, row) => norm !== norms[row]).length;
    x.dispose();
  }
  result[dtype] = {
    store: { byHost: median(times.hostStore), onDevice: median(times.deviceStore) },
    ...(await batches(host, store)),
  };
  store.dispose();
}
process.stdout.write(`${JSON.stringify({ device: detail, ...size, repeats, different, ...result })}\n`);
process.exit(0);

async function batches(host: HostRows, store: RowStore) {
  const { d, batch } = size;
  const memory = kernels.batchMemory?.(batch * d) ?? new Float32Array(batch * d);
  const ways = {
    byHost(places: Int32Array): Batch {
      host.read(places, memory, 0);
      return kernels.scaledBatch(memory, d, 0.7);
    },
    onDevice: (places: Int32Array): Batch => stores.batch([{ store, places }], d, 0.7),
  };
  const found = {
    byHost: { host: [] as number[], all: [] as number[] },
    onDevice: { host: [] as number[], all: [] as number[] },
  };
  for (let n = 0; n <= repeats; n++) {
    const places = drawn();
    const made: string[] = [];
    for (const way of ['byHost', 'onDevice'] as const) {
      const before = performance.now();
      const { x, variance } = ways[way](places);
      const recorded = performance.now() - before;
      const squares = hostNumber(variance);
      const all = performance.now() - before;
      // The first compiles.
      if (n > 0) {
        found[way].host.push(recorded);
        found[way].all.push(all);
      }
      made.push(`${squares} ${Buffer.from(await bytesOf(x)).toString('latin1')}`);
      x.dispose();
      disposeComputed(variance);
    }
    if (made[0] !== made[1]) different++;
  }
  const each = (way: 'byHost' | 'onDevice') => ({
    host: median(found[way].host),
    all: median(found[way].all),
  });
  return { batch: { byHost: each('byHost'), onDevice: each('onDevice') } };
}

async function bytesOf(x: Tensor2D): Promise<Uint8Array> {
  const values = await x.data<'float32'>();
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

async function timed(run: () => Promise<void>): Promise<number> {
  const before = performance.now();
  await run();
  return performance.now() - before;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
