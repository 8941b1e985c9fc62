import { expect, test } from 'vitest';
import { repairCommand } from './repairCommand.ts';

test.each([
  ["'/data/runs/mine/seed-2/features.parquet' is not a whole Parquet file", 'npx lazyscope index mine'],
  ["'/data/runs/mine/seed-0/evaluation.json' is damaged", 'npx lazyscope evaluate mine'],
  ["'/data/runs/mine/seed-0/search.safetensors' is cut", 'npx lazyscope index mine --search-only'],
  ["'/data/runs/mine/seed-0/pages.safetensors' can't be read", 'npx lazyscope index mine --search-only'],
  ["'/data/runs/mine/seed-0/stability.parquet' is cut", 'npx lazyscope compare mine'],
  ["'/data/runs/mine/reproducibility.json' is damaged", 'npx lazyscope reproducibility mine'],
  ["'C:\\data\\comparisons\\a-0-1\\map.parquet' is cut", 'npx lazyscope map a-0-1'],
  // What can't be made again by a command has none: a manifest of a run, and a trained dictionary.
  ["'/data/runs/mine/run.json' is damaged", undefined],
  ["'/data/runs/mine/seed-0/sae.safetensors' is cut", undefined],
  ['Something else', undefined],
])('%s', (message, command) => expect(repairCommand(message)).toBe(command));
