import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { basename, join } from 'node:path';
import { LazyscopeError } from '../../errors.ts';
import { compileFlags, runCompiler, undeclaredIsError, type Compiler } from './compiler.ts';
import { makeFolder } from '../../store/makeFolder.ts';

/**
 * The path of the library made of every .cc in `sourceFolder`, compiled unless `cacheFolder` has it. Objects
 * and library are written under another name and renamed, so that two processes compiling at once both end
 * with a whole file. `moreFlags` come after the flags of the native library.
 */
export async function compiledLibrary(
  compiler: Compiler,
  sourceFolder: string,
  cacheFolder: string,
  moreFlags: readonly string[] = [],
): Promise<string> {
  const files = readdirSync(sourceFolder)
    .filter((name) => /\.(cc|h)$/.test(name))
    .sort();
  const contents = new Map(files.map((name) => [name, readFileSync(join(sourceFolder, name))]));
  const flags = [...compileFlags, ...moreFlags];
  const common = [
    flags.join(' '),
    undeclaredIsError(compiler),
    compiler.command,
    compiler.version,
    cpuFeatures(),
  ];
  const hash = (names: readonly string[]) => {
    const digest = createHash('sha256').update(common.join('\n'));
    for (const name of names) digest.update(`\n${name}\n`).update(contents.get(name) ?? '');
    return digest.digest('hex').slice(0, 24);
  };
  const extension = process.platform === 'darwin' ? 'dylib' : 'so';
  const path = join(cacheFolder, `${hash(files)}.${extension}`);
  if (existsSync(path)) return path;

  try {
    makeFolder(cacheFolder);
  } catch (cause) {
    throw new LazyscopeError(
      'unavailable',
      `Backend native can't write its cache ${cacheFolder}: set XDG_CACHE_HOME to a folder you may write.`,
      { cause },
    );
  }
  const headers = files.filter((name) => name.endsWith('.h'));
  const sources = files.filter((name) => name.endsWith('.cc'));
  const objects = new Map(sources.map((name) => [name, join(cacheFolder, `${hash([name, ...headers])}.o`)]));

  // What was hashed is what gets compiled, even if someone saves a source meanwhile.
  const work = mkdtempSync(join(cacheFolder, 'compiling-'));
  try {
    for (const [name, content] of contents) writeFileSync(join(work, name), content);
    /** Compiles to `target` unless it exists already. */
    const make = async (target: string, args: readonly string[]) => {
      if (existsSync(target)) return;
      const made = join(work, basename(target));
      await runCompiler(compiler, [...flags, ...args, '-o', made]);
      renameSync(made, target);
    };
    // Processes that compile at once begin at different ends, and take over each other's objects.
    const queue = process.pid % 2 === 0 ? [...objects] : [...objects].reverse();
    const worker = async () => {
      try {
        for (let next = queue.pop(); next; next = queue.pop())
          await make(next[1], ['-c', undeclaredIsError(compiler), join(work, next[0])]);
      } catch (error) {
        queue.length = 0;
        throw error;
      }
    };
    // All of them end before the folder goes, which one that still compiles writes to.
    const ended = await Promise.allSettled(Array.from({ length: availableParallelism() }, worker));
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
    await make(path, ['-shared', ...objects.values()]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return path;
}

/** A description of the processor that changes whenever -march=native would mean something else. */
function cpuFeatures(): string {
  if (process.platform === 'darwin') {
    const answer = spawnSync('sysctl', ['-a'], { encoding: 'utf8', maxBuffer: 1 << 24 });
    return (answer.stdout ?? '')
      .split('\n')
      .filter((l) => /^(machdep\.cpu\.(brand|.*features)|hw\.optional)/.test(l))
      .join('\n');
  }
  const model = cpus()[0]?.model ?? '';
  try {
    const line = readFileSync('/proc/cpuinfo', 'utf8')
      .split('\n')
      .find((l) => /^(flags|Features)\s*:/.test(l));
    return `${process.arch} ${model} ${line ?? ''}`;
  } catch {
    return `${process.arch} ${model}`;
  }
}
