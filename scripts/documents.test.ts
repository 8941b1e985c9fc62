/** What the documents say of the tree is true: paths exist, sections are there, import arrows and dependencies are those in force. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const markdown = (folder: string) =>
  readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.md'))
    .map((file) => join(folder, file));
const documents = [...markdown('.'), ...markdown('docs')];

/** Files that git knows or would take in, and their folders. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 1 << 26,
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));
const tree = new Set(files);
for (const file of files)
  for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) tree.add(folder);

describe.each(documents)('%s', (document) => {
  const text = read(document);

  test('every path that it names is in the tree', () => {
    const named = [...text.matchAll(/`((?:sae|server|web|scripts|docs|data|\.ci)\/[^`\s]*)`/g)].map(
      ([, path]) => path,
    );
    const missing = named.filter((path) => {
      // `<name>` and `*` stand for any name.
      const pattern = path
        .replace(/\/$/, '')
        .replace(/[.()[\]+?^$]/g, '\\$&')
        .replace(/<[^>]*>|\*/g, '[^/]+');
      return ![...tree].some((entry) => new RegExp(`^${pattern}$`).test(entry));
    });
    expect(missing).toEqual([]);
  });

  test('every relative link leads to a file', () => {
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target.split('#')[0])
      .filter((target) => target !== '' && !/^[a-z]+:/.test(target));
    expect(targets.filter((target) => !existsSync(join(root, dirname(document), target)))).toEqual([]);
  });
});

test('every section of METHODS.md that the code cites is there', () => {
  const sections = new Set(
    [...read('docs/METHODS.md').matchAll(/^## (\d+)\. /gm)].map(([, number]) => number),
  );
  const cited = files
    .filter(
      (file) =>
        /^(sae|server|web|scripts)\/.*\.(ts|tsx|mjs|cc|h)$/.test(file) && !file.endsWith('documents.test.ts'),
    )
    .flatMap((file) =>
      [...read(file).matchAll(/METHODS[^ ]*\.md( §(\S+?)(?=[\s:;,.)]|$))?/gm)].map(([whole, , section]) => ({
        file,
        whole,
        section,
      })),
    );
  expect(cited.length).toBeGreaterThan(30);
  expect(
    cited.filter(({ whole, section }) => !whole.startsWith('METHODS.md ') || !sections.has(section)),
  ).toEqual([]);
});

test('the table of ARCHITECTURE.md allows the imports that .dependency-cruiser.cjs allows', () => {
  const rows = [...read('ARCHITECTURE.md').matchAll(/^\| `sae\/([\w-]+)`\s*\|[^|]*\|([^|]*)\|$/gm)];
  const arrows = new Map(
    rows.map(([, folder, cell]) => [folder, [...cell.matchAll(/`([\w-]+)`/g)].map(([, name]) => name)]),
  );
  const reachable = (folder: string, seen = new Set<string>()): Set<string> => {
    for (const next of arrows.get(folder) ?? []) if (!seen.has(next)) reachable(next, seen.add(next));
    return seen;
  };
  const { forbidden } = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as {
    forbidden: { name: string }[];
  };
  const open = ['spec', 'numerics', 'formats', 'store'];
  const inForce = forbidden.flatMap(({ name }) => {
    const [, folder, allowed] = /^sae\/(\S+) imports only (.*)$/.exec(name) ?? [];
    return folder === undefined
      ? []
      : [[folder.replace('/[^/]+', ''), new Set(allowed.split(', '))] as const];
  });
  expect(inForce.length).toBeGreaterThan(10);
  const documented = [...arrows.keys()].map(
    (folder) => [folder, new Set([folder, ...reachable(folder), ...open])] as const,
  );
  const sorted = (of: readonly (readonly [string, Set<string>])[], own: (folder: string) => string[]) =>
    Object.fromEntries(
      of.map(([folder, names]) => [
        folder,
        [...new Set([...names, ...own(folder)])].filter((name) => !name.includes('/')).sort(),
      ]),
    );
  // A backend's rule names the folder `backends` as something that it may import, not as itself.
  expect(sorted(documented, () => [])).toEqual(sorted(inForce, (folder) => [folder]));
});

test('docs/DEPENDENCIES.md has a line for each dependency, and no other, with the licence that its package states', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string> | undefined>;
  const kinds = ['dependencies', 'optionalDependencies', 'peerDependencies', 'devDependencies'];
  const used = kinds.flatMap((kind) => Object.keys(manifest[kind] ?? {}));
  const rows = [...read('docs/DEPENDENCIES.md').matchAll(/^\| `([^`]+)`.*\|\s*([^|]*?)\s*\|$/gm)];
  expect(rows.map(([, name]) => name).sort()).toEqual(used.sort());
  for (const [, name, licence] of rows) {
    const path = `node_modules/${name}/package.json`;
    // Optional packages are not installed everywhere.
    if (existsSync(join(root, path)))
      expect({ name, licence }).toEqual({
        name,
        licence: (JSON.parse(read(path)) as { license: string }).license,
      });
  }
});

test('every test that docs/FAULTS.md names is there, and no fault is without one', () => {
  const rows = read('docs/FAULTS.md')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (fault |-)/.test(line));
  const named = rows.map((row) => /^\| (.+?)\s*\| `([^`]+)`: (.+?)\s*\|$/.exec(row) ?? [row, '', '', '']);
  expect(named.filter(([, fault]) => fault === '').map(([row]) => row)).toEqual([]);
  expect(named.length).toBeGreaterThan(70);
  const missing = named.filter(([, , file, name]) => {
    // As the name stands in the source, between quotes of any kind.
    const source = tree.has(file) ? read(file).replaceAll(/\\(['"`])/g, '$1') : '';
    return !["'", '"', '`'].some((quote) => source.includes(`${quote}${name}${quote}`));
  });
  expect(missing.map(([, , file, name]) => `${file}: ${name}`)).toEqual([]);
});
