import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { tf } from '../tensor/tf.ts';
import type { HookPoint } from './hookPoints.ts';
import { loadLanguageModel } from './loadLanguageModel.ts';

const stories = '../shared/models/stories260K';
const here = existsSync(stories);

interface StoriesGolden {
  prompt: string;
  prompt_ids: number[];
  greedy_ids: number[];
  expected_text: string;
  mean_next_token_nll: number;
  activations: Record<HookPoint, { shape: number[]; l2: number; first8_of_last_token: number[] }>;
  logits_last_token_first16: number[];
}

test.skipIf(!here)(
  'stories260K: activations and logits agree with the float64 golden to 1e-4 (needs ../shared)',
  async () => {
    const golden = JSON.parse(readFileSync(`${stories}/golden.json`, 'utf8')) as StoriesGolden;
    const model = await loadLanguageModel(stories);
    expect(model.tokenizer.encode(golden.prompt)).toEqual(golden.prompt_ids);
    expect(model.tokenizer.decode(golden.greedy_ids)).toBe(golden.expected_text);

    const hooks = Object.keys(golden.activations) as HookPoint[];
    const tokens = tf.tensor2d(golden.greedy_ids, [1, golden.greedy_ids.length], 'int32');
    const { logits, activations } = model.forward(tokens, { read: hooks });
    for (const hook of hooks) {
      const { shape, l2, first8_of_last_token } = golden.activations[hook];
      const activation = activations.get(hook)!;
      expect(activation.shape).toEqual([1, ...shape]);
      const values = activation.dataSync();
      expect(Math.sqrt(Float64Array.from(values).reduce((sum, x) => sum + x * x, 0)) / l2).toBeCloseTo(1, 5);
      const last = values.slice(values.length - shape[1]);
      first8_of_last_token.forEach((x, i) => expect(Math.abs(last[i] - x), hook).toBeLessThan(1e-4));
    }
    const all = logits!.dataSync();
    golden.logits_last_token_first16.forEach((x, i) =>
      expect(Math.abs(all[all.length - model.config.vocabularySize + i] - x)).toBeLessThan(1e-4),
    );
    model.dispose();
  },
);
