/**
 * The library on activations of your own: a TopK dictionary is trained on vectors made of 32 known directions, used,
 * and written in SAELens's layout. In a project with `npm install lazyscope`: `npx tsx library.ts`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  autoencoderFrom,
  defaultTrainingConfig,
  exportDictionary,
  initialState,
  readDictionary,
  startBackend,
  tf,
  Trainer,
  writeDictionary,
} from 'lazyscope';
import type { BatchSource } from 'lazyscope';

const d = 16;
const features = 32;
const batchSize = 256;

// Every computation runs on the backend that was started last; 'auto' takes the fastest that works here.
const backend = await startBackend('auto');
console.log(`Computing on ${backend.name}: ${backend.reason}.`);

// A source hands out batches of activations [batchSize, d]. Yours would read them from files or from a model.
const directions = tf.tidy(() => {
  const rows = tf.randomNormal([features, d], 0, 1, 'float32', 1);
  return rows.div(rows.norm('euclidean', 1, true)).dataSync();
});
function activations(seed: number): Float32Array {
  const fires = tf.tidy(() => tf.randomUniform([batchSize, features], 0, 1, 'float32', seed).dataSync());
  const batch = new Float32Array(batchSize * d);
  for (let row = 0; row < batchSize; row++)
    for (let feature = 0; feature < features; feature++) {
      // Each direction is present in one row of sixteen, with a strength between 1 and 2.
      const chance = fires[row * features + feature] ?? 1;
      if (chance >= 1 / 16) continue;
      const strength = 1 + 16 * chance;
      for (let i = 0; i < d; i++)
        batch[row * d + i] = (batch[row * d + i] ?? 0) + strength * (directions[feature * d + i] ?? 0);
    }
  return batch;
}
let position = 0;
const source: BatchSource = {
  d,
  batchSize,
  next: () => activations((position += batchSize)),
  state: () => ({ seed: 0, epoch: 0, position }),
  restore: (state) => void ({ position } = state),
};

const config = defaultTrainingConfig('topk', {
  capture: 'made-up',
  hook: 'made-up',
  d,
  width: 64,
  k: 4,
  seeds: [0],
  batchSize,
  tokens: 400 * batchSize,
});
const trainer = new Trainer(config, source, initialState(config, source));
for (let step = 1; step <= 400; step++) {
  const [metrics] = await trainer.advance(step % 100 === 0);
  if (metrics && step % 100 === 0)
    console.log(`step ${step}: FVU ${metrics.fvu.toFixed(3)}, L0 ${metrics.l0.toFixed(1)}`);
}

// A dictionary is one safetensors file, which acts on activations as they are.
const folder = await mkdtemp(join(tmpdir(), 'lazyscope-library-'));
const file = join(folder, 'sae.safetensors');
const { capture: model, hook } = config;
await writeDictionary(file, trainer.dictionary(0), {
  architecture: 'topk', hook, model, run: 'made-up', seed: 0, scale: trainer.scale, k: 4,
}); // prettier-ignore
trainer.dispose();
const stored = await readDictionary(file);
const autoencoder = autoencoderFrom(stored);

// On activations it has not seen: Σ ‖x − x̂‖² / Σ ‖x − x̄‖².
const x = tf.tensor2d(activations(-1), [batchSize, d]);
const code = autoencoder.encode(x);
const fvu = tf.tidy(() => {
  const error = x.sub(autoencoder.decode(code)).square().sum();
  return error.div(x.sub(x.mean(0)).square().sum()).dataSync()[0];
});
console.log(`held out: FVU ${fvu?.toFixed(3)}, L0 ${(code.values.length / code.rows).toFixed(1)}`);

await exportDictionary(join(folder, 'saelens'), 'saelens', {
  ...stored, architecture: 'topk', hook, model, k: 4,
}); // prettier-ignore
console.log('exported for SAELens');
await rm(folder, { recursive: true });
