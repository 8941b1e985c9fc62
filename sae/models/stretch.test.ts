import { beforeAll, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { familyCases, withFamilyModel } from '../fixtures/familyFixtures.ts';
import { randomModel } from '../fixtures/randomModel.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor, Tensor2D } from '../tensor/tf.ts';
import { KeyValueCache } from './keyValueCache.ts';

beforeAll(async () => {
  await startBackend('auto');
});

const ids = () => tf.tensor2d([[5, 17, 20, 3, 3, 9], [1, 2, 3, 4, 5, 6]], undefined, 'int32'); // prettier-ignore
const bits = (x: Tensor) => Array.from(x.dataSync());

test.each(familyCases)(
  '%s: a pass in two stretches gives the bits of a whole one, wherever it is cut',
  (name) =>
    withFamilyModel(name, (model) => {
      const before = tf.memory().numTensors;
      tf.tidy(() => {
        const tokens = ids();
        const { hookPoints: read } = model;
        const whole = model.forward(tokens, { read });
        for (let cut = 0; cut <= model.config.layers; cut++) {
          const isBelow = (hook: string) => {
            const layer = /^blocks\.(\d+)/.exec(hook)?.[1];
            return layer === undefined ? hook !== 'ln_final.hook_normalized' : Number(layer) < cut;
          };
          const first = model.forward(tokens, { read: read.filter((hook) => isBelow(hook)), until: cut });
          const blank = tf.zerosLike(tokens) as Tensor2D;
          const second = model.forward(blank, {
            read: read.filter((hook) => !isBelow(hook)),
            from: { layer: cut, residual: first.residual! },
          });
          expect(first.logits).toBeUndefined();
          // A bare encoder has none.
          expect(second.logits && bits(second.logits)).toEqual(whole.logits && bits(whole.logits));
          const both = new Map([...first.activations, ...second.activations]);
          expect([...both.keys()]).toEqual(read);
          for (const [hook, activation] of both)
            expect(bits(activation), hook).toEqual(bits(whole.activations.get(hook)!));
          for (const { activations } of [first, second]) tf.dispose([...activations.values()]);
        }
        tf.dispose([...whole.activations.values()]);
      });
      expect(tf.memory().numTensors).toBe(before);
      return Promise.resolve();
    }),
);

test('stretches that the model does not have, that miss a hook point or that a cache can’t follow are refused', () => {
  const model = randomModel({ family: 'llama' });
  const tokens = ids();
  const residual = tf.zeros([2, 6, model.config.d]);
  const bad = { code: 'bad_input' };
  const { layers } = model.config;
  const refused = (options: Parameters<typeof model.forward>[1], cache?: KeyValueCache) => {
    let error: unknown;
    try {
      model.forward(tokens, options, cache);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject(bad);
  };
  refused({ until: layers + 1 });
  refused({ from: { layer: -1, residual } });
  refused({ from: { layer: 0.5, residual } });
  refused({ from: { layer: 1, residual }, until: 0 });
  refused({ from: { layer: 1, residual: tf.zeros([2, 5, model.config.d]) } });
  refused({ from: { layer: 1, residual }, read: ['blocks.0.hook_resid_post'] });
  refused({ from: { layer: 0, residual }, replace: { hook_embed: (x) => x } });
  refused({ until: 1, read: ['blocks.1.hook_resid_pre'] });
  refused({ until: 1, read: ['hook_embed'], readOnly: true });
  refused({ until: 1 }, new KeyValueCache());
  tf.dispose([tokens, residual]);
  model.dispose();
});
