import { configDefaults, defineConfig } from 'vitest/config';
import LongestFirst from './scripts/testTiers/longestFirst.ts';
import { apartTests, slowPatterns } from './scripts/testTiers/slowTests.ts';

const tests = '{sae,server,web,scripts}/**/*.test.{ts,tsx}';

/** Set by scripts/test.mjs: `usual` leaves out the tests that have a script of their own, `apart` runs only those. */
const which = process.env.LAZYSCOPE_TESTS;
const slow = {
  include: which === 'apart' ? [...apartTests] : slowPatterns(),
  exclude: [...configDefaults.exclude, ...(which === 'usual' ? apartTests : [])],
};

export default defineConfig({
  test: {
    // One process a file: TF.js keeps its engine in a global, and a test file chooses its own backend.
    pool: 'forks',
    // Tests that wait for processes leave a core idle, so the usual run has one more than two cores take. Apart run those that bound times.
    maxWorkers: which === 'apart' ? 2 : 3,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    setupFiles: ['scripts/testTiers/measureProcessorTime.ts'],
    projects: [
      {
        extends: true,
        test: { name: 'fast', include: [tests], exclude: [...configDefaults.exclude, ...slowPatterns()] },
      },
      { extends: true, test: { name: 'slow', ...slow } },
    ],
  },
});
