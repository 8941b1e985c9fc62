import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

interface Entry {
  version?: string;
  integrity?: string;
  optional?: boolean;
  os?: string[];
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

const root = join(import.meta.dirname, '..');
const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
const { packages } = JSON.parse(text) as { packages: Record<string, Entry> };

/** The entry that `require(name)` finds from the package at `path`, or null: the folders above, from the inside out. */
function entryOf(path: string, name: string): Entry | null {
  for (let from = path; ; from = from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/')))) {
    const entry = packages[`${from && `${from}/`}node_modules/${name}`];
    if (entry) return entry;
    if (!from) return null;
  }
}

/** Pairs of a package and something it depends on that the lock file has no entry for. */
function missing(kind: 'dependencies' | 'optionalDependencies'): string[] {
  return Object.entries(packages).flatMap(([path, entry]) =>
    Object.keys(entry[kind] ?? {})
      .filter((name) => !entryOf(path, name))
      .map((name) => `${path || 'package.json'} → ${name}`),
  );
}

test('npm ci works on every platform: each dependency has its entry, optional ones of other platforms included', () => {
  expect(missing('dependencies')).toEqual([]);
  expect(missing('optionalDependencies')).toEqual([]);
});

test.each(['linux', 'darwin', 'win32'])(
  'the entries hold the binaries of DuckDB, Next, koffi and oxlint for %s',
  (os) => {
    const built = Object.entries(packages).filter(([, entry]) => entry.os?.includes(os));
    for (const scope of ['@duckdb/', '@next/', '@koromix/', '@oxlint/'])
      expect(built.filter(([path]) => path.startsWith(`node_modules/${scope}`)).length).toBeGreaterThan(0);
  },
);

test('an entry says what its package must hash to, and not which registry it came from', () => {
  expect(text).not.toContain('"resolved"');
  const unsigned = Object.entries(packages).filter(([path, { integrity }]) => path !== '' && !integrity);
  expect(unsigned.map(([path]) => path)).toEqual([]);
});

test('package.json and the lock file name the same dependencies', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
  const locked = packages[''] as Record<string, unknown>;
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'])
    expect(locked[kind], kind).toEqual(manifest[kind]);
});
