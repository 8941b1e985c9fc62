/** What `lazyscope tensorflow install` refuses, and that it then leaves everything as it was. That it installs is tested by scripts/testTensorflow.mjs, which has a wheel. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { findCompiler } from '../../native/compiler.ts';
import { findAddon, installationFolder, readInstallation, tfjsNodeVersion } from './installation.ts';
import { installTensorflow, uninstallTensorflow, type InstallOptions } from './installTensorflow.ts';
import { npmPackageFiles, tfjsNode } from './npmTarball.ts';
import { libraryInFolder, libraryOfWheel } from './tensorflowLibrary.ts';
import { tryAddon } from './tryAddon.ts';

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'lazyscope-tensorflow-'));
  vi.stubEnv('XDG_CACHE_HOME', join(scratch, 'cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true, force: true });
});

const { signal } = new AbortController();
const install = (options: Partial<InstallOptions>) =>
  installTensorflow({ say: () => {}, signal, ...options });
const file = (name: string, content: string | Uint8Array) => {
  const path = join(scratch, name);
  writeFileSync(path, content);
  return path;
};

describe('the package with the sources', () => {
  test('another tarball than the pinned one is refused', async () => {
    const tarball = file('tfjs.tgz', 'not a tarball');
    await expect(npmPackageFiles(tfjsNode, tarball, signal)).rejects.toMatchObject({
      code: 'bad_input',
      message: expect.stringContaining(`is not the tarball of ${tfjsNode.name} ${tfjsNode.version}`),
    });
  });

  test('without npm, the error says how to get it', async () => {
    vi.stubEnv('PATH', join(scratch, 'nothing'));
    await expect(npmPackageFiles(tfjsNode, undefined, signal)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/npm pack @tensorflow\/tfjs-node-gpu@.* give the file with --package/),
    });
  });

  test('without a registry as well', async () => {
    // Nothing listens on this port of this machine.
    vi.stubEnv('npm_config_registry', 'http://127.0.0.1:9/');
    vi.stubEnv('npm_config_fetch_retries', '0');
    vi.stubEnv('npm_config_cache', join(scratch, 'npm'));
    await expect(npmPackageFiles(tfjsNode, undefined, signal)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('--package'),
    });
  });
});

describe('the library', () => {
  test('a folder without it', () => {
    expect(() => libraryInFolder(scratch)).toThrow(/has no libtensorflow_cc/);
    expect(() => libraryInFolder(join(scratch, 'none'))).toThrow(/does not exist/);
  });

  test('a folder with the library and no headers', () => {
    const name = process.platform === 'darwin' ? 'libtensorflow.2.dylib' : 'libtensorflow.so.2';
    mkdirSync(join(scratch, 'lib'));
    file(join('lib', name), '');
    expect(() => libraryInFolder(scratch)).toThrow(/lacks tensorflow\/c\/c_api\.h/);
    mkdirSync(join(scratch, 'include', 'tensorflow', 'c'), { recursive: true });
    file('include/tensorflow/c/c_api.h', '');
    expect(libraryInFolder(scratch)).toMatchObject({ include: join(scratch, 'include'), source: scratch });
  });

  const wheel = (files: Record<string, string>) =>
    file('some.whl', zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)])))); // prettier-ignore
  const unpack = (path: string) =>
    libraryOfWheel(path, join(scratch, 'into'), [], { signal, progress: () => {} });

  test('a wheel of something else', async () => {
    const path = wheel({ 'numpy-2.0.dist-info/WHEEL': 'Tag: cp312-cp312-any\n' });
    await expect(unpack(path)).rejects.toThrow(/is not a wheel of TensorFlow/);
  });

  test('a wheel of another system, which the error names', async () => {
    const path = wheel({ 'tensorflow_cpu-2.21.0.dist-info/WHEEL': 'Tag: cp311-cp311-win_amd64\n' });
    await expect(unpack(path)).rejects.toThrow(/is made for win_amd64, and this is/);
  });

  test('only what is needed is unpacked, headers as far as the sources reach', async () => {
    const system = process.platform === 'darwin' ? 'macosx_12_0' : 'manylinux_2_27';
    const processor =
      process.arch === 'arm64' ? (process.platform === 'darwin' ? 'arm64' : 'aarch64') : 'x86_64';
    const ending = process.platform === 'darwin' ? '2.dylib' : 'so.2';
    const path = wheel({
      'tensorflow-2.21.0.dist-info/WHEEL': `Wheel-Version: 1.0\nTag: cp311-cp311-${system}_${processor}\n`,
      [`tensorflow/libtensorflow_cc.${ending}`]: 'library',
      [`tensorflow/libtensorflow_framework.${ending}`]: 'framework',
      'tensorflow/include/tensorflow/c/c_api.h': '#include "tensorflow/c/tf_status.h"\n#include <stdint.h>\n',
      'tensorflow/include/tensorflow/c/tf_status.h': '# include "beside.h"\n',
      'tensorflow/include/tensorflow/c/beside.h': '',
      'tensorflow/include/tensorflow/c/unused.h': '',
      'tensorflow/python/large.so': 'not needed',
    });
    const into = join(scratch, 'into');
    const library = await libraryOfWheel(path, into, ['tensorflow/c/c_api.h'], {
      signal,
      progress: () => {},
    });
    const listed = readdirSync(into, { recursive: true, withFileTypes: true });
    expect(
      listed
        .filter((entry) => entry.isFile())
        .map(({ name }) => name)
        .sort(),
    ).toEqual(
      [
        'beside.h',
        'c_api.h',
        'tf_status.h',
        ...library.libraries.map((p) => p.slice(p.lastIndexOf('/') + 1)),
      ].sort(),
    );
    expect(library.libraries.map((p) => readFileSync(p, 'utf8'))).toEqual(['library', 'framework']);
  });
});

describe('an installation', () => {
  test('that fails leaves the one before, and nothing temporary', async () => {
    mkdirSync(installationFolder(), { recursive: true });
    writeFileSync(join(installationFolder(), 'kept'), '');
    await expect(install({ from: scratch, package: file('x.tgz', '') })).rejects.toMatchObject({
      code: 'bad_input',
    });
    expect(readdirSync(join(installationFolder(), '..'))).toEqual(['tensorflow']);
    expect(existsSync(join(installationFolder(), 'kept'))).toBe(true);
  });

  test('two places of one library are refused', async () => {
    await expect(install({ from: scratch, wheel: scratch })).rejects.toThrow(/give one of them/);
  });

  test('needs a compiler', async () => {
    vi.stubEnv('PATH', join(scratch, 'nothing'));
    vi.stubEnv('CXX', '');
    await expect(install({ from: scratch })).rejects.toThrow(/No C\+\+ compiler.*install g\+\+/);
  });

  test('of another version is refused by name, and a library that has gone is named', () => {
    const folder = installationFolder();
    mkdirSync(folder, { recursive: true });
    const write = (changes: object) =>
      writeFileSync(
        join(folder, 'installation.json'),
        JSON.stringify({
          version: 1, tensorflow: '2.21.0', tfjsNode: tfjsNodeVersion, source: '/venv', copied: false,
          libraries: [join(scratch, 'libtensorflow.so.2')], compiler: 'g++', devices: [], installedAt: '', ...changes,
        }),
      ); // prettier-ignore
    expect(readInstallation()).toBeNull();
    write({ tfjsNode: '4.0.0' });
    expect(() => findAddon()).toThrow(/not one of this version of Lazyscope/);
    write({});
    writeFileSync(join(folder, 'tfjs_binding.node'), '');
    expect(() => findAddon()).toThrow(
      /libtensorflow\.so\.2, which was there when TensorFlow was installed from \/venv, is gone/,
    );
    expect(uninstallTensorflow()).toEqual({ folder, removed: true });
    expect(uninstallTensorflow()).toEqual({ folder, removed: false });
    expect(() => findAddon()).toThrow(/not installed.*lazyscope tensorflow install/);
  });
});

const compiler = findCompiler();
describe.skipIf(!compiler)(
  'an add-on that does not work is an error with its reason, not the end of this process',
  () => {
    test('a file that is no library', async () => {
      const addon = file('tfjs_binding.node', 'text');
      const place = { packageFolder: scratch, addon, libraries: [], source: 'a wheel' };
      await expect(tryAddon(place)).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(/TensorFlow from a wheel doesn't load: .*tfjs_binding\.node/),
      });
    });

    test('one that ends the process by an instruction that the processor lacks', async () => {
      const source = file('trap.cc', '__attribute__((constructor)) static void load() { __builtin_trap(); }');
      const addon = join(scratch, 'trap.node');
      const { spawnSync } = await import('node:child_process');
      spawnSync(compiler?.command ?? '', ['-shared', '-fPIC', source, '-o', addon]);
      const place = { packageFolder: scratch, addon, libraries: [], source: 'a wheel' };
      await expect(tryAddon(place)).rejects.toThrow(/SIGTRAP|instructions that this processor lacks/);
    });
  },
);
