import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startExplorer } from './explorer.ts';

test('an installed package without its built explorer says so, and builds nothing', async () => {
  const web = await mkdtemp(join(tmpdir(), 'lazyscope-explorer-'));
  const said: string[] = [];
  try {
    await expect(
      startExplorer({ web, log: (line) => said.push(line), hostname: '127.0.0.1', port: 0 }),
    ).rejects.toMatchObject({
      code: 'unavailable',
      message: `The explorer is missing from '${web}': install lazyscope again, or serve the API alone with --no-explorer.`,
    });
    expect(said).toEqual([]);
  } finally {
    await rm(web, { recursive: true });
  }
});
