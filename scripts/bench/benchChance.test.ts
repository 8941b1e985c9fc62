import { beforeAll, expect, test } from 'vitest';
import { silent } from '../../sae/progress.ts';
import { tf } from '../../sae/tensor/tf.ts';
import { benchChance } from './benchChance.ts';

beforeAll(() => tf.setBackend('cpu'));

test('chance costs no more than in proportion to the latents, beyond what it costs at any width', () => {
  const at = (latents: number) => benchChance({ latents, d: 48, tokens: 4096 }, silent);
  const perLatent = ({ stages }: ReturnType<typeof at>) =>
    stages
      .filter(({ stage }) => stage.startsWith('p-values'))
      .reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  const [narrow, wide] = [at(1000), at(16_000)];
  for (const { planted, strangers, stages } of [narrow, wide]) {
    expect(planted).toBeGreaterThan(0.95);
    expect(strangers).toBeLessThan(0.02);
    expect(stages.map(({ stage }) => stage)).toContain('p-values');
  }
  // Sixteen times as many latents: a cost of their square would be 256 times as large.
  expect(perLatent(wide)).toBeLessThan(32 * Math.max(perLatent(narrow), 0.05));
}, 300_000);
