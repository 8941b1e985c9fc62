import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const fixtures = join(import.meta.dirname, 'fixtures');

describe('nothing is ever whole in memory', () => {
  // Whoever kept the text would hold 192 MiB and more. Buffers that wait for a
  // collection and an allocator's spare pages are no part of that, and a busy machine has more of both.
  const bound = 128;
  /** Megabytes by which the process grew, and what it read. */
  function read(path: string): { grown: number; documents: number; characters: number } {
    const source = `
      import { openText } from ${JSON.stringify(join(import.meta.dirname, 'openText.ts'))};
      const text = await openText(${JSON.stringify(path)});
      for await (const piece of (await openText(${JSON.stringify(join(fixtures, 'plain.gz'))})).pieces()) void piece;
      const before = process.memoryUsage().rss;
      let documents = 0, characters = 0;
      for await (const piece of text.pieces()) { documents += piece.startsDocument; characters += piece.text.length; }
      const grown = (process.resourceUsage().maxRSS * 1024 - before) / 2 ** 20;
      console.log(JSON.stringify({ grown, documents, characters }));`;
    const child = spawnSync(
      process.execPath,
      [
        '--max-semi-space-size=4',
        '--max-old-space-size=64',
        '--import',
        'tsx',
        '--input-type=module',
        '-e',
        source,
      ],
      { encoding: 'utf8', cwd: join(import.meta.dirname, '..', '..', '..') },
    );
    if (child.status !== 0) throw new Error(child.stderr);
    return JSON.parse(child.stdout);
  }

  test.each(['big.zst', 'big.xz'])(`%s unpacks to 192 MiB within ${bound} MiB`, (name) => {
    const { grown, documents, characters } = read(join(fixtures, name));
    // A line less a space at its end, and, where lines are one document, their ends but the last.
    expect(characters).toBe(name === 'big.zst' ? (192 << 10) * 1025 : (192 << 10) * 1027 - 2);
    expect(documents).toBe(name === 'big.zst' ? 192 << 10 : 1);
    expect(grown).toBeLessThan(bound);
  });

  test(`a plain file of 192 MiB within ${bound} MiB`, () => {
    const line = `${'whale '.repeat(170)}\n`;
    const path = join(mkdtempSync(join(tmpdir(), 'lazyscope-texts-')), 'big.txt');
    writeFileSync(path, line.repeat(192 << 10));
    expect(read(path).grown).toBeLessThan(bound);
  });
});
