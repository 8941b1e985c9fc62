import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{sae,server,web,scripts}/**/*.test.{ts,tsx}'],
    // One process a file: TF.js keeps its engine in a global, and a test file chooses its own backend.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
