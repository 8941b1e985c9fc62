/** Builds the explorer for production if the build is missing or older than its sources. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { LazyscopeError, isLazyscopeError } from '../sae/errors.ts';
import { writeFileAtomic } from '../sae/store/atomicWrite.ts';
import { withLock } from '../sae/store/lock.ts';
import type { Log } from './log.ts';

export interface ExplorerOptions {
  /** The folder of the Next.js app. */
  web: string;
  /** The package's root: its lock file determines the versions of the libraries in the build. */
  root: string;
  log: Log;
}

const require = createRequire(import.meta.url);

export async function ensureExplorerBuilt({ web, root, log }: ExplorerOptions): Promise<void> {
  const stamp = join(web, '.next', 'lazyscope-build');
  const lockFolder = join(root, 'node_modules', '.cache', 'lazyscope', 'explorer');
  const wanted = await sourcesHash(web, root);
  const isCurrent = async () =>
    existsSync(join(web, '.next', 'BUILD_ID')) &&
    (await readFile(stamp, 'utf8').catch(() => '')).trim() === wanted;
  for (;;) {
    if (await isCurrent()) return;
    try {
      await withLock(lockFolder, 'build the explorer', async () => {
        if (await isCurrent()) return;
        const started = performance.now();
        log('Building the explorer (once, after a change) …');
        await build(web, root);
        await writeFileAtomic(stamp, `${wanted}\n`);
        log(`The explorer is built, in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
      });
      return;
    } catch (error) {
      if (!(isLazyscopeError(error) && error.code === 'conflict')) throw error;
      // Another process is building it.
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

async function sourcesHash(web: string, root: string): Promise<string> {
  const hash = createHash('sha256').update(process.versions.node.split('.')[0]);
  const entries = await readdir(web, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/^\.next|node_modules|\.test\.tsx?$|^next-env\.d\.ts$/.test(relative(web, path)))
    .sort();
  for (const path of [...files, join(root, 'package-lock.json')]) {
    hash
      .update(relative(root, path))
      .update('\0')
      .update(await readFile(path));
  }
  return hash.digest('hex');
}

function build(web: string, root: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [require.resolve('next/dist/bin/next'), 'build', web], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else
        reject(
          new LazyscopeError(
            'unavailable',
            `The explorer could not be built (next build ended with ${code}): ${lastLines(said)}`,
            { cause: said },
          ),
        );
    });
  });
}

const lastLines = (text: string) => text.trim().split('\n').slice(-3).join(' ').trim();
