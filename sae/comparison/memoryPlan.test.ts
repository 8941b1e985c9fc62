import { expect, test } from 'vitest';
import { planMemory } from './memoryPlan.ts';

const wide = { a: 131_072, b: 131_072, d: 768 };

test('narrow dictionaries have their matrix made whole, unless memory forbids', () => {
  const sizes = { a: 2048, b: 4096, d: 768 };
  expect(planMemory(sizes)).toMatchObject({ dense: true });
  const { bytes } = planMemory(sizes);
  expect(planMemory(sizes, { budget: bytes - 1 })).toMatchObject({ dense: false, perRow: 32 });
});

test('less memory means fewer candidates, never more bytes than allowed', () => {
  const budgets = [4.2e9, 4.01e9, 3.92e9];
  const plans = budgets.map((budget) => planMemory(wide, { budget }));
  expect(plans.map(({ perRow }) => perRow)).toEqual([32, 16, 8]);
  plans.forEach(({ bytes }, i) => expect(bytes).toBeLessThanOrEqual(budgets[i]));
});

test('131,072 latents stay far below the 68.7 GB of their matrix', () => {
  expect(planMemory(wide).bytes).toBeLessThan(8e9);
  expect(planMemory({ a: 32_768, b: 32_768, d: 768 }).bytes).toBeLessThan(2e9);
});

test('too little is refused with what would do, and that does', () => {
  let said = '';
  try {
    planMemory(wide, { budget: 1e9 });
  } catch (error) {
    said = (error as Error).message;
  }
  const enough = Number(/--memory (\d+)MB/.exec(said)?.[1]) * 1e6;
  expect(planMemory(wide, { budget: enough })).toMatchObject({ perRow: 4 });
});
