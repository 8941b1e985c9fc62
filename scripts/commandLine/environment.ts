/** The one file that reads the environment and the package's own place on the disk. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StartedBackend } from '../../sae/backends/startBackend.ts';
import type { Environment } from '../../sae/spec/manifests/run.ts';

/** The package's root. */
export const packageFolder = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const bundledModels = join(packageFolder, 'data', 'models');
export const webFolder = join(packageFolder, 'web');
/** What runs the command line again, in a child process. */
export const program = [process.execPath, join(packageFolder, 'scripts', 'lazyscope.mjs')] as const;

export const environment = {
  /** `json`: progress as JSON Lines on standard error, for the server. */
  progress: process.env['LAZYSCOPE_PROGRESS'],
  token: process.env['LAZYSCOPE_TOKEN'],
};

export function packageVersion(): string {
  const text = readFileSync(join(packageFolder, 'package.json'), 'utf8');
  const { version }: { version: string } = JSON.parse(text);
  return version;
}

/** What a run records about where it was trained. */
export function describeEnvironment(backend: StartedBackend): Environment {
  return {
    lazyscope: packageVersion(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? `${availableParallelism()} cores`,
    backend: backend.name,
    threads: backend.threads,
    ...(backend.storage && { storage: backend.storage }),
  };
}
