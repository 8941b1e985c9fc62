/** The long suites take their options as the command line does. */
import { afterEach, expect, test, vi } from 'vitest';
import { chaosCommand } from '../chaos/chaosSuite.ts';
import { fuzzCommand } from '../fuzz/fuzzSuite.ts';
import { loadCommand } from '../load/loadSuite.ts';
import { runSuite } from './suiteCommand.ts';

afterEach(() => vi.restoreAllMocks());

async function ran(command: () => ReturnType<typeof fuzzCommand>, args: string[]) {
  const said = { out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => Boolean((said.out += String(text))));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => Boolean((said.err += String(text))));
  let given: object | undefined;
  const status = await runSuite(command(), args, async (options) => {
    given = options;
    return true;
  });
  return { status, given, ...said };
}

const suites = [
  ['test:fuzz', fuzzCommand],
  ['test:chaos', chaosCommand],
  ['test:load', loadCommand],
] as const;

test.each(suites)('%s --help prints the usage and runs nothing', async (script, command) => {
  const { status, given, out } = await ran(command, ['--help']);
  expect([status, given]).toEqual([0, undefined]);
  expect(out).toContain(`Usage: npm run ${script} -- [options]`);
});

test.each(suites)('%s refuses an unknown option in one line, with the remedy', async (script, command) => {
  const { status, given, err } = await ran(command, ['--kase', '7']);
  expect([status, given]).toEqual([2, undefined]);
  expect(err).toMatch(
    new RegExp(`^${script}: Unknown option '--kase'[^\\n]* See 'npm run ${script} -- --help'\\.\\n$`),
  );
});

test.each([
  [fuzzCommand, ['--cases', '0'], /--cases .* It must be a whole number above 0/],
  [fuzzCommand, ['--format', 'doc'], /--format .* It must be one of safetensors, pytorch, /],
  [chaosCommand, ['--minutes', 'ten'], /--minutes .* It must be a number/],
  [chaosCommand, ['--work', 'dance'], /--work .* It must be one of capture, train, /],
  [loadCommand, ['--pause', '-1'], /--pause .* It must be /],
] as const)('a wrong value is refused by the name of its option: %#', async (command, args, message) => {
  const { status, err } = await ran(command, [...args]);
  expect(status).toBe(2);
  expect(err).toMatch(message);
  expect(err.match(/\n/g)).toHaveLength(1);
});

test('what is given reaches the suite', async () => {
  const fuzz = await ran(fuzzCommand, ['--cases', '7', '--seed', '9', '--format', 'npz', '--format', 'npy']);
  expect(fuzz.given).toEqual({ cases: 7, seed: 9, format: ['npz', 'npy'] });
  const load = await ran(loadCommand, ['--explorers', '3', '--pause', '0.5', '--strict', '--json']);
  expect(load.given).toMatchObject({ explorers: 3, watchers: 50, pause: 0.5, strict: true, json: true });
});
