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
  at(2500); // compiles what is run
  const [narrow, wide] = [at(2500), at(20_000)];
  for (const { planted, strangers, stages } of [narrow, wide]) {
    expect(planted).toBeGreaterThan(0.95);
    expect(strangers).toBeLessThan(0.02);
    expect(stages.map(({ stage }) => stage)).toContain('chance: matching narrower ones');
  }
  // Eight times as many latents: a cost of their square would be 64 times as large.
  expect(perLatent(wide)).toBeLessThan(16 * Math.max(perLatent(narrow), 0.05));
  // Matchings are of narrower dictionaries of the same widths in both, and are what a narrow comparison spends most on.
  expect(wide.cpuSeconds).toBeLessThan(8 * narrow.cpuSeconds);
});
