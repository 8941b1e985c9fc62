/**
 * A few damaged files of every format, in this process: each is read, or refused by a typed error, in less than two seconds of
 * processor time. `npm run test:fuzz` tries many more, each in a process that may die, and looks at the memory too.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { isLazyscopeError } from '../../sae/errors.ts';
import { Random } from '../../sae/numerics/random.ts';
import { fuzzedFormats } from './fuzzedFormats.ts';

const scratch = mkdtempSync(join(tmpdir(), 'lazyscope-formats-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test.each(fuzzedFormats)(
  '$name: damaged files are refused by typed errors, without a hang',
  async ({ name, prepare }) => {
    const { write, read } = await prepare(mkdtempSync(join(scratch, `${name}-`)));
    let refused = 0;
    const faults: string[] = [];
    for (let seed = 0; seed < 25; seed++) {
      await write(Random.fromSeed(seed, name));
      const began = process.cpuUsage();
      try {
        await read();
      } catch (error) {
        if (isLazyscopeError(error)) refused++;
        else faults.push(`${seed}: ${String(error)}`);
      }
      const { user, system } = process.cpuUsage(began);
      if (user + system > 2_000_000) faults.push(`${seed}: ${(user + system) / 1e6} s`);
    }
    expect(faults).toEqual([]);
    // Most damage is noticed.
    expect(refused).toBeGreaterThan(8);
  },
);
