import { configDefaults, defineConfig } from 'vitest/config';
import LongestFirst from './scripts/testTiers/longestFirst.ts';
import { slowPatterns } from './scripts/testTiers/slowTests.ts';

const tests = '{sae,server,web,scripts}/**/*.test.{ts,tsx}';

export default defineConfig({
  test: {
    // One process a file: TF.js keeps its engine in a global, and a test file chooses its own backend.
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    setupFiles: ['scripts/testTiers/measureProcessorTime.ts'],
    projects: [
      {
        extends: true,
        test: { name: 'fast', include: [tests], exclude: [...configDefaults.exclude, ...slowPatterns()] },
      },
      { extends: true, test: { name: 'slow', include: slowPatterns() } },
    ],
  },
});
