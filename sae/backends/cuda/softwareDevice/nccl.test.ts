/** NCCL of the software device: what processes send each other, and what NCCL would hang at. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import koffi from 'koffi';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { noSoftwareDevice } from '../cudaForTests.ts';
import { Nccl } from '../nccl.ts';
import { softwareDevice } from './softwareDevice.ts';

const program = join(import.meta.dirname, '../../../fixtures/ncclRank.ts');

describe.skipIf(noSoftwareDevice)(`devices of several processes${noSoftwareDevice}`, () => {
  vi.setConfig({ testTimeout: 300_000 });
  let nccl: Nccl;
  beforeAll(async () => {
    nccl = new Nccl(koffi.load((await softwareDevice()).library));
  });

  /** What each rank finds that does what its place in the list says. */
  function ranks(does: readonly string[], id = Buffer.from(nccl.newUniqueId()).toString('hex')) {
    return Promise.all(
      does.map(async (what, rank) => {
        const given = [String(rank), String(does.length), id, what];
        const { stdout } = await promisify(execFile)(
          process.execPath,
          ['--import', 'tsx', program, ...given],
          { env: { ...process.env, LAZYSCOPE_CUDA_DEVICE: 'software' } },
        );
        return JSON.parse(stdout || 'null') as Record<string, unknown>;
      }),
    );
  }

  test.each([1, 2, 3])(
    '%i ranks get what all have, and the same sums, in the order of the ranks',
    async (size) => {
      const found = await ranks(Array<string>(size).fill('everything'));
      const numbers = [0, 1, 2].slice(0, size);
      const sum = [1e8, 1e8, 0][size - 1];
      for (const each of found)
        expect(each).toEqual({
          gathered: numbers.flatMap((rank) => [rank + 0.5, -1 - rank]),
          integers: [[0, 1, 3][size - 1], (size * 2 ** 30) | 0, -7 * size],
          few: [sum, 2 * sum, 3 * sum, sum],
          unequal: 0,
        });
    },
  );

  test('ranks that make different calls are told so, both of them', async () => {
    for (const { refused } of await ranks(['everything', 'another call']))
      expect(refused).toMatch(
        /rank \d is in call 1 of kind 1 with \d bytes .* and rank \d in call 1 of kind 1 with \d bytes/,
      );
  });

  test('a rank that is gone is noticed', async () => {
    const [left, gone] = await ranks(['everything', 'go away']);
    expect(left.refused).toMatch(/rank 1 is gone/);
    expect(gone).toBeNull();
  });

  test('transfers that not every rank takes part in are refused', async () => {
    for (const { refused } of await ranks(Array<string>(3).fill('share a group with nobody')))
      expect(refused).toMatch(/invalid usage: rank \d doesn't send to rank \d, or receives nothing from it/);
  });

  test('a call is part of no graph', async () => {
    const [{ refused }] = await ranks(['capture']);
    expect(refused).toMatch(/unhandled cuda error: the stream takes no work, or captures a graph/);
  });

  test('an id of which a byte has been lost on the way is refused', async () => {
    const id = Buffer.from(nccl.newUniqueId());
    id[127] ^= 1;
    const [{ refused }] = await ranks(['everything'], id.toString('hex'));
    expect(refused).toMatch(/invalid argument: no id of ncclGetUniqueId/);
  });

  /** To five digits. */
  const near = (value: number) => expect.closeTo(value, 5 - Math.ceil(Math.log10(value))) as number;

  /** Over 64 equal rows of errors of 1, to which activations of latents add their rows of W_dec; see `choose` of fixtures/ncclRank.ts. */
  const squaresOf = (kept: readonly number[][]) => {
    const sum = [1, 1, 1, 1];
    for (const [latent, f] of kept)
      [latent % 5, -1, latent % 3, 0.5].forEach((w, column) => (sum[column] += f * w));
    return 64 * sum.reduce((total, value) => total + value * value, 0);
  };

  test('what one rank alone finds wrong with a step, all do: too few candidates, too short a list', async () => {
    const found = await ranks(['choose', 'choose']);
    const values = [0, 1].map((rank) =>
      Array.from({ length: 96 }, (_, latent) => ((latent * 7) % 96) + 0.5 * rank),
    );
    const least = values.flat().sort((a, b) => b - a)[63];
    const largest = Array.from({ length: 64 }, (_, i) => i + 32);
    for (const [rank, each] of found.entries()) {
      const kept = [...values[rank].keys()].filter((latent) => values[rank][latent] >= least);
      expect(each.memoryKept).toBe(true);
      expect(each.even).toEqual({ short: 0, kept });
      // All of the 64 largest are rank 1's, which first sent 56 of them.
      expect(each.uneven).toMatchObject({ short: 1 });
      expect(each.again).toEqual({ short: 0, kept: rank === 1 ? largest : [] });
      // Which of its own the first choice is to be asked for with k candidates does not matter to the second.
      expect(each.moreUneven).toMatchObject({ short: 1 });
      const ones = largest.map((latent) => [latent, latent + 1001]);
      expect(each.moreAgain).toEqual({
        ...(each.again as object),
        more: rank === 1 ? largest : [],
        squares: near(squaresOf(ones)),
      });
      expect(each.productsUneven).toMatchObject({ short: 3 });
      expect(each.productsAgain).toEqual({ ...(each.again as object), squares: near(squaresOf(ones)) });
      const few = Array.from({ length: 30 }, (_, i) => i + 10);
      const ofRank0 = (latent: number) => [latent, latent + 2];
      const squares = near(squaresOf(few.map(ofRank0)));
      expect(each.few).toMatchObject({ short: 0, more: rank === 0 ? few : [], squares });
      expect(each.productsFew).toMatchObject({ short: 0, squares });
      // 61 of rank 0's 76, and all three of rank 1's.
      const some = Array.from({ length: 61 }, (_, i) => i + 35);
      const squaresOfSome = near(squaresOf([...some.map(ofRank0), [0, 1001], [1, 1002], [2, 1003]]));
      expect(each.some).toMatchObject({
        short: 0,
        more: rank === 0 ? some : [0, 1, 2],
        squares: squaresOfSome,
      });
      expect(each.productsSome).toMatchObject({ short: 0, squares: squaresOfSome });
      expect(each.expected).toBe(64);
      expect(each.oneTooMany).toBe(-1);
    }
  });
});
