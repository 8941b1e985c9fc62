/** What a run records about where it was trained. */
import { createRequire } from 'node:module';
import { availableParallelism, cpus } from 'node:os';
import type { StartedBackend } from './startBackend.ts';
import type { Environment } from '../spec/manifests/run.ts';

const require = createRequire(import.meta.url);

export function packageVersion(): string {
  // By the package's own name, so that this file need not know how deep in the package it lies.
  const { version } = require('lazyscope/package.json') as { version: string };
  return version;
}

/** The machine, the versions and the backend, as runs record them. */
export function describeEnvironment(backend: StartedBackend): Environment {
  return {
    lazyscope: packageVersion(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? `${availableParallelism()} cores`,
    backend: backend.name,
    threads: backend.threads,
    ...(backend.storage && { storage: backend.storage }),
    ...(backend.products && { products: backend.products }),
  };
}
