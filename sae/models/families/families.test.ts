import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../../backends/startBackend.ts';
import { familyCases, familyGolden, withFamilyModel } from '../../fixtures/familyFixtures.ts';
import { tf } from '../../tensor/tf.ts';
import type { Tensor } from '../../tensor/tf.ts';
import type { HookPoint } from '../hookPoints.ts';
import { KeyValueCache } from '../keyValueCache.ts';
import { parseModelConfig } from '../readModelConfig.ts';
import { families } from './families.ts';

beforeAll(async () => {
  await startBackend('auto');
});

/** What was measured, for docs/MODELS.md (scripts/modelsTable/writeModelsTable.mjs). */
const measured = new Map<string, { logits: number; hooks: number; greedy?: number }>();
afterAll(() => {
  const path = process.env['LAZYSCOPE_FAMILY_MEASUREMENTS'];
  if (path === undefined) return;
  const architectures = Object.fromEntries(
    Object.entries(families).map(
      ([
        key,
        {
          architectures: [causal],
          models,
        },
      ]) => [key.replaceAll('_', '-'), { architecture: causal, models }],
    ),
  );
  writeFileSync(path, JSON.stringify({ backend: tf.getBackend(), architectures, cases: [...measured] }));
});

const fixtures = join(import.meta.dirname, '..', 'fixtures', 'families');
const json = (path: string): Record<string, unknown> => JSON.parse(readFileSync(path, 'utf8'));

/** The largest difference, as a share of the largest expected value. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let [difference, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(actual[i] - expected[i]));
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return difference / largest;
}

test('every family has a case with all of its hook points', () => {
  for (const family of Object.keys(families)) expect(familyCases).toContain(family.replaceAll('_', '-'));
});

describe.each(familyCases)('%s, against transformers in float64', (name) => {
  test('logits and hook points to 1e-4', async () => {
    measured.set(name, { logits: 0, hooks: 0 });
    const { tokens, types, values } = await familyGolden(name);
    await withFamilyModel(name, async (model) => {
      const before = tf.memory().numTensors;
      const input = tf.tensor2d(tokens, [2, 6], 'int32');
      const hooks = [...values.keys()].filter((key) => key !== 'logits') as HookPoint[];
      // transformers' Falcon gives no patterns where it has linear biases.
      const given = model.hookPoints.filter(
        (hook) => !model.config.alibi || values.has(hook) || !hook.endsWith('pattern'),
      );
      if (hooks.length > 1) expect(hooks.toSorted()).toEqual(given.toSorted());
      const typed = types ? { tokenTypes: tf.tensor2d(types, [2, 6], 'int32') } : {};
      const read = model.forward(input, { read: hooks, ...typed });
      // Nobody stands at a hook point: other kernels may run.
      const bare = model.forward(input, typed);
      const check = (what: string, tensor: Tensor) => {
        const { shape, data } = values.get(what)!;
        expect(tensor.shape, what).toEqual(shape);
        const error = relativeError(tensor.dataSync(), data);
        const seen = measured.get(name)!;
        const kind = what === 'logits' ? 'logits' : 'hooks';
        seen[kind] = Math.max(seen[kind], error);
        expect(error, what).toBeLessThan(1e-4);
      };
      expect(read.logits !== undefined).toBe(values.has('logits'));
      if (read.logits) check('logits', read.logits);
      if (bare.logits) check('logits', bare.logits);
      for (const hook of hooks) check(hook, read.activations.get(hook)!);
      tf.dispose([input, typed, read.logits ?? [], bare.logits ?? [], ...read.activations.values()]);
      expect(tf.memory().numTensors).toBe(before);
    });
  });

  test('greedy text through the key-value cache is what transformers generates', async () => {
    const { greedy, types } = await familyGolden(name);
    await withFamilyModel(name, async (model) => {
      if (types) {
        // An encoder has no next token: it is refused in one sentence.
        const input = tf.tensor2d([[5, 4]], undefined, 'int32');
        expect(() => model.forward(input, {}, new KeyValueCache())).toThrow(
          /is an encoder.*predicts no next token/,
        );
        input.dispose();
        return;
      }
      const cache = new KeyValueCache();
      const made = greedy.slice(0, 6);
      let fresh = made;
      while (made.length < greedy.length) {
        const next = tf.tidy(() => {
          const { logits } = model.forward(tf.tensor2d([fresh], undefined, 'int32'), {}, cache);
          return logits!.argMax(-1).dataSync()[fresh.length - 1];
        });
        made.push(next);
        fresh = [next];
      }
      cache.dispose();
      expect(made).toEqual(greedy);
      measured.get(name)!.greedy = greedy.length - 6;
    });
  });

  test('the config.json that transformers writes describes the same model', () => {
    const saved = json(join(fixtures, 'savedConfigs.json'))[name];
    const given = json(join(fixtures, name, 'config.json'));
    const { bosId: _, eosIds: __, ...described } = parseModelConfig(saved, 'saved');
    expect(described).toEqual(expect.objectContaining(withoutTokens(parseModelConfig(given, 'given'))));
  });
});

function withoutTokens(config: ReturnType<typeof parseModelConfig>) {
  const { bosId: _, eosIds: __, ...rest } = config;
  return rest;
}
