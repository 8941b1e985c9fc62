/** What is in a folder, so that it can be compared with another one's. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readMetrics } from '../../sae/training/metrics.ts';

/** Fields of JSON documents that no two runs have in common: times, and what depends on them. */
const volatile = new Set([
  'createdAt',
  'finishedAt',
  'updatedAt',
  'seconds',
  'tokensPerSecond',
  'environment',
  'peakRssMb',
]);
/** Not what a command makes: the server's own files, its cache, and the input. */
const ignored = /^(\.manifest-index|lazyscope\.duckdb|server\.json|audit\.jsonl|words\.txt)/;

/** A checksum of every file, by its path. Everything counts, half-written and hidden files too. */
export async function finalBytes(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !ignored.test(path))
    .sort();
  return new Map(
    await Promise.all(files.map(async (path) => [path, await checksum(folder, path)] as [string, string])),
  );
}

/** Paths that only one of the two has or whose contents differ. */
export function differences(found: Map<string, string>, expected: Map<string, string>): string[] {
  const paths = new Set([...found.keys(), ...expected.keys()]);
  return [...paths].filter((path) => found.get(path) !== expected.get(path));
}

async function checksum(folder: string, path: string): Promise<string> {
  return createHash('sha256')
    .update(await counted(join(folder, path)))
    .digest('hex');
}

async function counted(path: string): Promise<Uint8Array | string> {
  if (basename(path) === 'metrics.arrow') return JSON.stringify(withoutVolatile(await readMetrics(path)));
  const bytes = await readFile(path);
  if (!path.endsWith('.json')) return bytes;
  const document: unknown = withoutVolatile(JSON.parse(bytes.toString()));
  return JSON.stringify(document, (name, value: unknown) =>
    // A capture's model lies in the store, wherever that is.
    name === 'folder' && basename(path) === 'capture.json' ? undefined : value,
  );
}

/** A JSON value without what no two runs have in common. */
export function withoutVolatile(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutVolatile);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !volatile.has(name))
      .map(([name, inner]) => [name, withoutVolatile(inner)]),
  );
}
