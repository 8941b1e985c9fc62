/** `lazyscope tensorflow install` and `uninstall`: everything is made beside the installation, tried, and only then takes its place. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LazyscopeError } from '../../../errors.ts';
import { findCompiler } from '../../native/compiler.ts';
import { compileAddon, readPackage, tensorflowHeaders, writePackage } from './addon.ts';
import {
  addonName,
  installationFolder,
  installedPackage,
  manifestName,
  tfjsNodeVersion,
  type Installation,
} from './installation.ts';
import { nodeApiHeaders, npmPackageFiles, tfjsNode } from './npmTarball.ts';
import {
  checkHeaders,
  libraryInFolder,
  libraryOfPython,
  libraryOfWheel,
  nodeHeaders,
  type TensorflowLibrary,
} from './tensorflowLibrary.ts';
import { tryAddon, type TriedAddon } from './tryAddon.ts';
import { makeFolder } from '../../../store/makeFolder.ts';

export interface InstallOptions {
  /** A folder with libtensorflow; the Python on the path when both this and `wheel` are left out. */
  from?: string | undefined;
  wheel?: string | undefined;
  /** The tarball of @tensorflow/tfjs-node-gpu; fetched by npm when left out, unless the package is installed. */
  package?: string | undefined;
  /** The folder with node_api.h; that of the running Node when left out, or else fetched by npm. */
  headers?: string | undefined;
  say: (line: string) => void;
  signal: AbortSignal;
}

export interface Installed {
  folder: string;
  installation: Installation;
  complaints: string[];
}

/**
 * Installs TensorFlow into the user's cache, in the place of what was installed before. Throws `unavailable`, `not_found`, `bad_input` or
 * `corrupt` with what is missing; the installation is then as it was.
 */
export async function installTensorflow(options: InstallOptions): Promise<Installed> {
  const { from, wheel, signal, say } = options;
  if (from !== undefined && wheel !== undefined)
    throw new LazyscopeError(
      'bad_input',
      '--from and --wheel are two places of one library: give one of them.',
    );
  if (process.platform === 'win32')
    throw new LazyscopeError(
      'unavailable',
      'The tensorflow backend is for Linux and macOS: choose --backend wasm.',
    );
  const compiler = findCompiler();
  if (!compiler)
    throw new LazyscopeError(
      'unavailable',
      'No C++ compiler is found (tried $CXX, c++, g++, clang++): install g++ or clang.',
    );
  const folder = installationFolder();
  makeFolder(dirname(folder));
  const work = mkdtempSync(`${folder}.installing-`);
  const headers = mkdtempSync(`${folder}.headers-`);
  try {
    const files = await packageFiles(options);
    const packageFolder = join(work, 'package');
    writePackage(files, packageFolder);
    const nodeApi = await nodeApiFolder(options, headers);
    const library = await tensorflowLibrary(options, headers, tensorflowHeaders(files));
    const copied = wheel !== undefined;
    if (copied) renameSync(join(headers, 'lib'), join(work, 'lib'));
    const inPlace = (place: string): TensorflowLibrary =>
      copied
        ? { ...library, libraries: library.libraries.map((path) => path.replace(headers, place)) }
        : library;
    const there = inPlace(work);
    say(`Compiling the add-on with ${compiler.version}`);
    const addon = join(work, addonName);
    await compileAddon(compiler, { packageFolder, library: there, nodeApi }, {
      output: addon,
      libraryFolders: copied ? ['$ORIGIN/lib'] : [...new Set(library.libraries.map(dirname))],
      signal,
    }); // prettier-ignore
    say('Loading it');
    const tried = await tryAddon(
      { packageFolder, addon, libraries: there.libraries, source: library.source },
      signal,
    );
    checkVersion(tried);
    const installation: Installation = {
      version: 1,
      tensorflow: tried.tensorflow,
      tfjsNode: tfjsNodeVersion,
      source: library.source,
      copied,
      libraries: inPlace(folder).libraries,
      compiler: compiler.version,
      devices: tried.devices,
      installedAt: new Date().toISOString(),
    };
    writeFileSync(join(work, manifestName), `${JSON.stringify(installation, null, 2)}\n`);
    replace(folder, work);
    return { folder, installation, complaints: tried.complaints };
  } finally {
    for (const temporary of [work, headers]) rmSync(temporary, { recursive: true, force: true });
  }
}

/** Removes what was installed; tells whether there was anything. */
export function uninstallTensorflow(): { folder: string; removed: boolean } {
  const folder = installationFolder();
  const removed = existsSync(folder);
  rmSync(folder, { recursive: true, force: true });
  return { folder, removed };
}

async function packageFiles({
  package: tarball,
  say,
  signal,
}: InstallOptions): Promise<Map<string, Uint8Array>> {
  const installed = tarball === undefined ? installedPackage(tfjsNode.name) : null;
  if (installed) {
    say(`Taking the add-on's sources from ${installed}`);
    return readPackage(installed);
  }
  if (tarball === undefined) say(`Fetching ${tfjsNode.name} ${tfjsNode.version} with npm`);
  return npmPackageFiles(tfjsNode, tarball, signal);
}

async function nodeApiFolder({ headers, say, signal }: InstallOptions, work: string): Promise<string> {
  if (headers !== undefined) return checkHeaders(headers);
  const own = nodeHeaders();
  if (own) return own;
  say(`This Node came without headers: fetching ${nodeApiHeaders.name} ${nodeApiHeaders.version} with npm`);
  const folder = join(work, 'node-api');
  mkdirSync(folder);
  for (const [name, content] of await npmPackageFiles(nodeApiHeaders, undefined, signal)) {
    const header = /^include\/(\w+\.h)$/.exec(name);
    if (header) writeFileSync(join(folder, header[1]), content);
  }
  return folder;
}

function tensorflowLibrary(
  { from, wheel, say, signal }: InstallOptions,
  work: string,
  headers: readonly string[],
): TensorflowLibrary | Promise<TensorflowLibrary> {
  if (wheel === undefined) return from === undefined ? libraryOfPython() : libraryInFolder(from);
  return libraryOfWheel(wheel, work, headers, { signal, progress: (file) => say(`Unpacking ${file}`) });
}

function checkVersion({ tensorflow }: TriedAddon): void {
  if (tensorflow.startsWith('2.')) return;
  throw new LazyscopeError(
    'unavailable',
    `This is TensorFlow ${tensorflow}, and the add-on is written for TensorFlow 2: take a wheel of version 2.`,
  );
}

/** The old installation goes when the new one is whole. */
function replace(folder: string, made: string): void {
  const old = `${made}.old`;
  if (existsSync(folder)) renameSync(folder, old);
  renameSync(made, folder);
  rmSync(old, { recursive: true, force: true });
}
