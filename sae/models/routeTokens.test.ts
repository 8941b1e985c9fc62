/** A mixture's routing at its hook points; the values are those of the goldens (families.test.ts). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { capture } from '../activations/capture.ts';
import { excludesNothing } from '../activations/exclusionRule.ts';
import { openCapture } from '../activations/openCapture.ts';
import { selectRows } from '../activations/selectRows.ts';
import { startBackend } from '../backends/startBackend.ts';
import { withFamilyModel } from '../fixtures/familyFixtures.ts';
import { Random } from '../numerics/random.ts';
import { StoreLayout } from '../store/layout.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor } from '../tensor/tf.ts';
import { blockHook, expertHook } from './hookPoints.ts';
import type { HookPoint } from './hookPoints.ts';

const store = new StoreLayout(mkdtempSync(join(tmpdir(), 'lazyscope-experts-')));
beforeAll(async () => {
  await startBackend('auto');
});
afterAll(() => rmSync(store.root, { recursive: true, force: true }));

const tokens = [5, 9, 4, 3, 17, 21];
const indices = blockHook(1, 'mlp.hook_expert_indices');

test('tokens sent to other experts give what those experts write, in the order of their weights', async () => {
  await withFamilyModel('mixtral', async (model) => {
    const weights = blockHook(1, 'mlp.hook_expert_weights');
    const posts = [0, 1, 2].map((expert) => expertHook(1, expert, 'hook_post'));
    const wide = blockHook(1, 'mlp.hook_post');
    const input = tf.tensor2d([tokens], undefined, 'int32');
    // Experts 2 and 0 for every token, whatever the router would have chosen.
    const elsewhere = () => tf.tile(tf.tensor3d([2, 0], [1, 1, 2], 'int32'), [1, 6, 1]);
    const { activations } = model.forward(input, {
      read: [weights, wide, ...posts],
      replace: { [indices]: elsewhere },
      readOnly: true,
    });
    const of = (hook: HookPoint) => activations.get(hook)!;
    const [all, shares] = [of(wide).dataSync(), of(weights).dataSync()];
    const width = model.width(posts[0]);
    expect(width).toBe(8);
    for (let row = 0; row < tokens.length; row++)
      for (let expert = 0; expert < 3; expert++) {
        const own = of(posts[expert]).dataSync();
        const [kept, other] = [0, 2].map((each) => shares[row * 3 + each]);
        const weight = expert === 1 ? 0 : shares[row * 3 + expert] / (kept + other);
        for (let i = 0; i < width; i++) {
          if (expert === 1) expect(own[row * width + i]).toBeCloseTo(0, 12);
          expect(all[(row * 3 + expert) * width + i]).toBeCloseTo(weight * own[row * width + i], 5);
        }
      }
    tf.dispose([input, ...activations.values()]);
  });
});

test('reading an expert changes nothing downstream, replacing one does', async () => {
  await withFamilyModel('mixtral', async (model) => {
    const input = tf.tensor2d([tokens], undefined, 'int32');
    const hook = expertHook(0, 1, 'hook_gate');
    const pre = blockHook(0, 'mlp.hook_pre');
    const bare = model.forward(input, { read: [pre] });
    const read = model.forward(input, { read: [pre, hook] });
    const replaced = model.forward(input, { replace: { [hook]: (x: Tensor) => x.add(1) } });
    expect(read.logits!.dataSync()).toEqual(bare.logits!.dataSync());
    expect(read.activations.get(pre)!.dataSync()).toEqual(bare.activations.get(pre)!.dataSync());
    expect(replaced.logits!.dataSync()).not.toEqual(bare.logits!.dataSync());
    for (const { logits, activations } of [bare, read, replaced])
      tf.dispose([logits!, ...activations.values()]);
    input.dispose();
  });
});

test('rows of a capture that the router sent elsewhere are left out under every rule', async () => {
  await withFamilyModel('mixtral.one', async (model) => {
    const random = Random.fromSeed(1, 'experts');
    const document = Array.from({ length: 400 }, () => String.fromCharCode(97 + random.below(26))).join('');
    const text = { source: 'letters', documents: [document], text: document, sha256: 'a'.repeat(64) };
    const hook = expertHook(1, 2, 'hook_post');
    const options = { store, name: 'experts', model, text, hooks: [hook], contextLength: 16 };
    await expect(capture({ ...options, hooks: [indices] })).rejects.toThrow(/numbers experts/);
    await capture({ ...options, dtype: 'float32' });
    const opened = await openCapture(store, 'experts');
    const input = tf.tensor2d(opened.tokens, [opened.tokens.length / 16, 16], 'int32');
    const { activations } = model.forward(input, { read: [indices], readOnly: true });
    const sent = activations.get(indices)!.dataSync();
    const rows = Array.from({ length: opened.trainRows + opened.heldOutRows }, (_, row) => row);
    const elsewhere = rows.filter((row) => {
      const { context, position } = opened.rowToken(row);
      return sent[context * 16 + position] !== 2;
    });
    expect(elsewhere.length).toBeGreaterThan(0);
    expect(elsewhere.length).toBeLessThan(rows.length);
    expect([...selectRows(opened, [hook], excludesNothing).excluded]).toEqual(elsewhere);
    expect(opened.manifest.hooks[0].norms!.median).toBeGreaterThan(0);
    opened.close();
    tf.dispose([input, ...activations.values()]);
  });
});
