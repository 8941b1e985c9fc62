/** Times the trainer on activations whose sparse structure is planted, so that it has something to learn. */
import { LazyscopeError } from '../../sae/errors.ts';
import type { Report } from '../../sae/progress.ts';
import type { Architecture, TrainingConfig } from '../../sae/store/manifests.ts';
import { Random } from '../../sae/tensor/random.ts';
import { tf } from '../../sae/tensor/tf.ts';
import type { BatchSource } from '../../sae/training/batchSource.ts';
import { defaultTrainingConfig } from '../../sae/training/defaults.ts';
import { Trainer, initialState } from '../../sae/training/trainer.ts';

export interface TrainBenchmark {
  architecture: Architecture;
  d: number;
  width: number;
  batchSize: number;
  k: number;
  seeds: number;
  steps: number;
}

/** Batches that are kept and repeated: making them must not be what is timed. */
const kept = 8;
const warmUp = 5;
const featuresAToken = 20;

export async function benchTrain(options: TrainBenchmark, report: Report) {
  const { architecture, d, width, batchSize, k, seeds, steps } = options;
  const source = plantedBatches(d, width, batchSize);
  const common = {
    capture: 'bench',
    hook: 'blocks.0.hook_resid_post',
    d,
    width,
    batchSize,
    tokens: batchSize * (warmUp + steps),
    seeds: Array.from({ length: seeds }, (_, seed) => seed),
    // No latent may be called dead in so short a run: the auxiliary loss would be timed too.
    deadAfter: batchSize * (warmUp + steps) * 10,
  };
  const config: TrainingConfig =
    architecture === 'topk'
      ? defaultTrainingConfig(architecture, { ...common, k })
      : defaultTrainingConfig(architecture, common);
  const trainer = new Trainer(config, source, initialState(config, source));
  const [before] = await trainer.advance(true);
  for (let step = 1; step < warmUp; step++) await trainer.advance(false);
  const started = performance.now();
  let after = before;
  for (let step = 1; step <= steps; step++) {
    [after] = await trainer.advance(false);
    report({ stage: `train ${architecture}`, done: step, total: steps, unit: 'steps' });
  }
  const millisecondsAStep = (performance.now() - started) / steps;
  trainer.dispose();
  // A trainer that learns nothing is not worth timing.
  if (!(after.fvu < before.fvu))
    throw new LazyscopeError(
      'unavailable',
      `Training on this backend does not learn: FVU went from ${before.fvu.toFixed(3)} to ${after.fvu.toFixed(3)}.`,
    );
  return {
    millisecondsAStep,
    tokensPerSecond: (batchSize * seeds * 1000) / millisecondsAStep,
    productMilliseconds: await productTime(batchSize, d, width),
    l0: after.l0,
    fvu: [before.fvu, after.fvu],
  };
}

function plantedBatches(d: number, width: number, batchSize: number): BatchSource {
  const random = Random.fromSeed(0, 'bench train');
  const features = random.normals(width * d, 1 / Math.sqrt(d));
  const batches = Array.from({ length: kept }, () => {
    const batch = new Float32Array(batchSize * d);
    for (let row = 0; row < batchSize; row++)
      for (let n = 0; n < featuresAToken; n++) {
        const feature = random.below(width) * d;
        const strength = 0.5 + random.uniform();
        for (let c = 0; c < d; c++) batch[row * d + c] += strength * features[feature + c];
      }
    return batch;
  });
  let position = 0;
  return {
    d,
    batchSize,
    next: () => batches[position++ % kept].slice(),
    state: () => ({ seed: 0, epoch: 0, position }),
    restore: (state) => {
      ({ position } = state);
    },
  };
}

/** Milliseconds of the product that a dense encoder needs at least: what a step is measured by. */
async function productTime(batchSize: number, d: number, width: number): Promise<number> {
  const x = tf.randomNormal([batchSize, d]);
  const w = tf.randomNormal([width, d]);
  let best = Infinity;
  for (let n = 0; n < 6; n++) {
    const started = performance.now();
    const z = tf.matMul(x, w, false, true);
    const last = z.slice([batchSize - 1, width - 1], [1, 1]);
    await last.data();
    best = Math.min(best, performance.now() - started);
    tf.dispose([z, last]);
  }
  tf.dispose([x, w]);
  return best;
}
