/** Compiles tfjs-node's own C++ into the add-on through which Node calls libtensorflow. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runCompiler, type Compiler } from '../../native/compiler.ts';
import { includesOf, type TensorflowLibrary } from './tensorflowLibrary.ts';
import { makeFolder } from '../../../store/makeFolder.ts';

/** Of the package's files only what is evaluated or compiled here. */
const needed = /^(package\.json|binding\/\w+\.(cc|h)|dist\/(kernels\/)?\w+\.js)$/;

/** The needed files of a package that is installed in `folder`. */
export function readPackage(folder: string): Map<string, Uint8Array> {
  const names = ['.', 'binding', 'dist', 'dist/kernels'].flatMap((place) =>
    readdirSync(join(folder, place)).map((name) => (place === '.' ? name : `${place}/${name}`)),
  );
  return new Map(
    names.filter((name) => needed.test(name)).map((name) => [name, readFileSync(join(folder, name))]),
  );
}

/** Writes the needed files of the package into `folder`. */
export function writePackage(files: ReadonlyMap<string, Uint8Array>, folder: string): void {
  for (const [name, content] of files) {
    if (!needed.test(name) || name.endsWith('_test.js')) continue;
    const path = join(folder, name);
    makeFolder(dirname(path));
    writeFileSync(path, content);
  }
}

/** The headers of TensorFlow that the package's C++ includes. */
export function tensorflowHeaders(files: ReadonlyMap<string, Uint8Array>): string[] {
  return [...files]
    .filter(([name]) => /^binding\/\w+\.(cc|h)$/.test(name))
    .flatMap(([, content]) => includesOf(Buffer.from(content).toString()))
    .filter((name) => name.startsWith('tensorflow/'));
}

export interface AddonSources {
  packageFolder: string;
  library: TensorflowLibrary;
  /** The folder with node_api.h. */
  nodeApi: string;
}

/**
 * Compiles the add-on into `output`. `libraryFolders` is where it looks for the libraries when it is loaded; `$ORIGIN` is its own folder. All its
 * symbols are bound when it is loaded, so that a library without one of them is found out then and not in the middle of a computation.
 */
export async function compileAddon(
  compiler: Compiler,
  { packageFolder, library, nodeApi }: AddonSources,
  { output, libraryFolders, signal }: { output: string; libraryFolders: string[]; signal: AbortSignal },
): Promise<void> {
  const binding = join(packageFolder, 'binding');
  const sources = readdirSync(binding).filter((name) => name.endsWith('.cc'));
  const isApple = process.platform === 'darwin';
  await runCompiler(
    compiler,
    [
      '-O2',
      '-std=c++17',
      '-fPIC',
      '-w',
      '-DNAPI_VERSION=8',
      `-I${nodeApi}`,
      `-I${library.include}`,
      ...sources.map((name) => join(binding, name)),
      ...(isApple
        ? ['-dynamiclib', '-undefined', 'dynamic_lookup', '-Wl,-bind_at_load']
        : ['-shared', '-Wl,-z,now']),
      ...library.libraries,
      ...libraryFolders.map(
        (folder) => `-Wl,-rpath,${isApple ? folder.replace('$ORIGIN', '@loader_path') : folder}`,
      ),
      '-o',
      output,
    ],
    {
      failure: "The TensorFlow add-on can't be compiled",
      remedy:
        'Install g++ or clang++ and name it in CXX, and take the headers and the library of one TensorFlow 2.',
      signal,
    },
  );
}
