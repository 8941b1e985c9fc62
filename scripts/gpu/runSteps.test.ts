import { expect, test } from 'vitest';
import { runSteps, type Step, type StepResult } from './runSteps.ts';

const node = (name: string, source: string, limit = 60): Step => ({
  name,
  program: process.execPath,
  args: ['-e', source],
  limit,
});

test('one that fails, hangs or is no program costs itself alone, and all is saved as it becomes known', async () => {
  const saved: number[] = [];
  const steps = [
    node('first', 'console.log(JSON.stringify({ rate: 7 }))'),
    node('fails', 'console.error("begun"); console.error("no device"); process.exit(2)'),
    node('hangs', 'setInterval(() => {}, 1000)', 0.5),
    node('prints no document', 'console.log("rate: 7")'),
    { name: 'is missing', program: '/nowhere/python3', args: [], limit: 5 },
    node('last', 'console.log("{}")'),
  ];
  const results = await runSteps(steps, {
    budget: 600,
    save: (all) => saved.push(all.length),
    say: () => {},
  });
  expect(results.map(({ outcome }) => outcome)).toEqual([
    'done', 'failed', 'late', 'failed', 'failed', 'done',
  ]); // prettier-ignore
  expect(results[0].document).toEqual({ rate: 7 });
  expect(results[1].said).toBe('begun\nno device');
  expect(results[3].said).toBe('rate: 7');
  expect(results[4].said).toContain('ENOENT');
  expect(saved).toEqual([1, 2, 3, 4, 5, 6]);
});

test('steps that no time is left for are named', async () => {
  const said: string[] = [];
  const results: StepResult[] = await runSteps([node('any', ''), node('other', '')], {
    budget: 1,
    save: () => {},
    say: (line) => said.push(line),
  });
  expect(results.map(({ outcome }) => outcome)).toEqual(['skipped', 'skipped']);
  expect(said).toEqual(['any: skipped', 'other: skipped']);
});

test('steps that are not timed run side by side, the others wait for them', async () => {
  const order: string[] = [];
  const waiting = (name: string, ms: number, beside: boolean): Step => ({
    ...node(name, `setTimeout(() => console.log('{}'), ${ms})`),
    beside,
  });
  const steps = [
    waiting('timed', 0, false),
    waiting('long', 1500, true),
    waiting('short', 0, true),
    node('timed after', 'console.log("{}")'),
  ];
  const say = (line: string) => order.push(line.split(':')[0]);
  const results = await runSteps(steps, { budget: 600, together: 3, save: () => {}, say });
  expect(results.every(({ outcome }) => outcome === 'done')).toBe(true);
  expect(order).toEqual(['timed', 'short', 'long', 'timed after']);
});
