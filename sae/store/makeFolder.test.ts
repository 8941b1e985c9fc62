import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { makeFolder } from './makeFolder.ts';

const base = mkdtempSync(join(tmpdir(), 'lazyscope-folders-'));

test('folders are made with those above them, and the uppermost that was missing is named', () => {
  const folder = join(base, 'a', 'b', 'c');
  expect(makeFolder(folder)).toBe(join(base, 'a'));
  expect(statSync(folder).isDirectory()).toBe(true);
  expect(makeFolder(folder)).toBeUndefined();
  symlinkSync(folder, join(base, 'link'));
  expect(makeFolder(join(base, 'link', 'd'))).toBe(join(base, 'link', 'd'));
});

writeFileSync(join(base, 'file'), '');
symlinkSync(join(base, 'nowhere'), join(base, 'dangling'));
test.each([
  ['file', join(base, 'file'), 'is in its way'],
  ['file/x/y', join(base, 'file'), 'is in its way'],
  ['dangling/x', join(base, 'dangling'), 'is in its way'],
  [`n${'n'.repeat(300)}/x`, `n${'n'.repeat(300)}`, 'its name is too long'],
])('%s is refused in one sentence with the folder and the remedy', (name, said, reason) => {
  expect(() => makeFolder(join(base, name), 'name another with --out')).toThrow(
    expect.objectContaining({
      code: 'bad_input',
      message: expect.stringMatching(
        new RegExp(
          `^The folder '.*${said.slice(-40)}' can't be made \\(.*${reason}\\): name another with --out\\.$`,
        ),
      ),
    }),
  );
});

// In a process of its own: Node's recursive mkdir would not come back, and no test can end that.
test.runIf(process.platform === 'linux')(
  'a folder that /proc refuses is an error and no endless loop',
  () => {
    const program = `import { makeFolder } from ${JSON.stringify(join(import.meta.dirname, 'makeFolder.ts'))};
    try { makeFolder('/proc/lazyscope/cache') } catch (error) { console.log(error.code, error.message) }`;
    const { stdout, signal } = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', program],
      {
        encoding: 'utf8',
        timeout: 60_000,
      },
    );
    expect(signal).toBeNull();
    expect(stdout).toMatch(
      /^bad_input The folder '\/proc\/lazyscope' can't be made \(.*\): choose another\.\n$/,
    );
  },
);

/** What runs for developers only, on folders of their own. */
const ofTheProject =
  /\.test\.tsx?$|\/fixtures\/|^scripts\/(bench|chaos|extensionCost|fuzz|gpu|slurm|workers)\/|^web\/browserExplorer\.ts$/;

test("nothing that people run makes folders by Node's own recursive mkdir", () => {
  const root = join(dirname(import.meta.dirname), '..');
  const found = ['sae', 'server', 'scripts', 'web']
    .flatMap((part) =>
      readdirSync(join(root, part), { recursive: true, withFileTypes: true })
        .filter(
          (entry) =>
            entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.parentPath.includes('node_modules'),
        )
        .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/')),
    )
    .filter((path) => !ofTheProject.test(path))
    .filter((path) => /\bmkdir(Sync)?\([^;]*recursive: true/.test(readFileSync(join(root, path), 'utf8')));
  expect(found).toEqual([]);
});
