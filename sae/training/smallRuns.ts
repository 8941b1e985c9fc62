/** Whole training runs for tests, small enough for a software driver: the same on every backend but for rounding. */
import type { Architecture } from '../store/manifests.ts';
import { Random } from '../tensor/random.ts';
import type { BatchSource } from './batchSource.ts';
import { defaultTrainingConfig } from './defaults.ts';
import { initialState, Trainer, type TrainerState } from './trainer.ts';

const [d, width, batchSize] = [16, 48, 16];
export const steps = 200;

/** Rows made of few of 40 directions, the same for everyone who asks. */
export function smallSource(): BatchSource {
  const directions = Random.fromSeed(3).normals(40 * d, 1 / Math.sqrt(d));
  let position = 0;
  return {
    d,
    batchSize,
    next() {
      const random = Random.fromSeed(7, position++);
      const batch = new Float32Array(batchSize * d);
      for (let row = 0; row < batchSize; row++)
        for (let n = 0; n < 3; n++) {
          const at = random.below(40) * d;
          const strength = 0.5 + random.uniform();
          for (let j = 0; j < d; j++) batch[row * d + j] += strength * directions[at + j];
        }
      return batch;
    },
    state: () => ({ seed: 0, epoch: 0, position }),
    restore: (state) => {
      ({ position } = state);
    },
  };
}

const settings: Record<Architecture, object> = {
  // Latents that rest for ten batches count as dead, so that AuxK has work.
  topk: { k: 4, deadAfter: 10 * batchSize },
  relu: { sparsityCoefficient: 0.3 },
  jumprelu: { targetL0: 4 },
};
export const smallConfig = (architecture: Architecture) =>
  defaultTrainingConfig(architecture, {
    capture: 'synthetic',
    hook: 'none',
    d,
    width,
    seeds: [1],
    batchSize,
    tokens: batchSize * steps,
    ...settings[architecture],
  });

/** Trains on the active backend until a step, from the start or from a state, and says what came of it. */
export async function trainUntil(architecture: Architecture, until: number, from?: TrainerState) {
  const config = smallConfig(architecture);
  const data = smallSource();
  const state = from ?? initialState(config, data);
  data.restore({ seed: 0, epoch: 0, position: state.step });
  const trainer = new Trainer(config, data, state);
  const losses: number[] = [];
  let dead = 0;
  while (trainer.step < until)
    for (const metrics of await trainer.advance()) {
      losses.push(metrics.loss);
      dead = Math.max(dead, metrics.deadFraction);
    }
  const end = trainer.state();
  trainer.dispose();
  return { losses, end, dead };
}
