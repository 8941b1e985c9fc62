/** Packages of the npm registry that are compiled or evaluated here: fetched as tarballs, compared with the checksum that is written here, and unpacked in memory. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { LazyscopeError } from '../../../errors.ts';
import { readTar } from '../../../formats/tarFile.ts';
import { tfjsNodeVersion } from './installation.ts';

export interface NpmPackage {
  name: string;
  version: string;
  /** The registry's `dist.integrity`: SHA-512 of the tarball. */
  integrity: string;
  /** The option of `lazyscope tensorflow install` that takes it from a file. */
  option: string;
}

/** The sources of the add-on and the kernels in JavaScript that call it. */
export const tfjsNode: NpmPackage = {
  name: '@tensorflow/tfjs-node-gpu',
  version: tfjsNodeVersion,
  integrity:
    'sha512-p//NN6DGiN4hInUmIkRffaFVMcdTREUMjPyjW04J7OXvB2zBlQimj61eFKSgRrH3f5TnOfKzb0n56he/B6a4bw==',
  option: '--package',
};

/** The C declarations of Node-API, for Nodes that come without their headers. */
export const nodeApiHeaders: NpmPackage = {
  name: 'node-api-headers',
  version: '1.9.0',
  integrity:
    'sha512-2oNILP4jXwRB4ywnYKjVk1YyJ96n2D4EOVJO6S3oYZ5PtbJrw3Yt9TpAuX3nBLMuzn74rnfGQrv13pS9vC+YiA==',
  option: '--headers',
};

const mostBytes = 64 << 20;

/**
 * The package's files by their names in it (`dist/index.js`). The tarball is `file`, or npm fetches it from its registry. Throws `unavailable`
 * when npm can't, `not_found` or `bad_input` for a `file` that isn't this package.
 */
export async function npmPackageFiles(
  wanted: NpmPackage,
  file: string | undefined,
  signal: AbortSignal,
): Promise<Map<string, Uint8Array>> {
  const { name, version, integrity } = wanted;
  const bytes = file === undefined ? await fetched(wanted, signal) : read(file);
  if (`sha512-${createHash('sha512').update(bytes).digest('base64')}` !== integrity)
    throw new LazyscopeError(
      'bad_input',
      `${file ? `'${file}'` : "What npm's registry sent"} is not the tarball of ${name} ${version}: its checksum is another.`,
    );
  const files = readTar(gunzipSync(bytes, { maxOutputLength: mostBytes }), file ?? name);
  return new Map([...files].map(([path, content]) => [path.replace(/^package\//, ''), content]));
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new LazyscopeError('not_found', `'${file}' can't be read: check the path.`, { cause });
  }
}

/** npm itself fetches, so that the user's registry, proxy and certificates are used. No script of the package runs. */
async function fetched(wanted: NpmPackage, signal: AbortSignal): Promise<Buffer> {
  const folder = temporaryFolder();
  try {
    await npmPack(wanted, folder, signal);
    const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
    if (!tarball) throw unreachable(wanted, 'npm pack left no tarball');
    return readFileSync(join(folder, tarball));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function temporaryFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'lazyscope-npm-'));
  } catch (cause) {
    throw new LazyscopeError(
      'bad_input',
      `No folder can be made in '${tmpdir()}', where temporary files go: set TMPDIR to a folder you may write.`,
      { cause },
    );
  }
}

async function npmPack(wanted: NpmPackage, folder: string, signal: AbortSignal): Promise<void> {
  const args = ['pack', `${wanted.name}@${wanted.version}`, '--ignore-scripts', '--pack-destination', folder];
  await new Promise<void>((resolve, reject) => {
    const child = spawn('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], signal });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.on('error', (cause) =>
      reject(signal.aborted ? cause : unreachable(wanted, `npm does not start (${cause.message})`, cause)),
    );
    child.on('close', (code) => {
      if (code === 0) return resolve();
      const line = said.split('\n').find((text) => /^npm (error|ERR!) (?!code)/.test(text));
      reject(unreachable(wanted, line?.replace(/^npm (error|ERR!) /, '') ?? 'npm failed', new Error(said)));
    });
  });
}

function unreachable({ name, version, option }: NpmPackage, why: string, cause?: unknown): LazyscopeError {
  const given =
    option === '--headers'
      ? 'give a folder with node_api.h with --headers'
      : `run npm pack ${name}@${version} where there is a registry, and give the file with ${option}`;
  return new LazyscopeError('unavailable', `npm can't fetch ${name} ${version}: ${why}; ${given}.`, {
    cause,
  });
}
