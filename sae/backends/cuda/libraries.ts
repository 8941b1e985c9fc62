/**
 * The cuda backend: kernels written in CUDA C++ (`source/`), compiled by NVRTC for the GPU at hand, and matrix products by
 * cuBLASLt, through the driver's own API. It needs no compiler and no build step; it needs three shared libraries, and this
 * file says where they are looked for.
 *
 * libcuda comes with the NVIDIA driver. NVRTC and cuBLASLt come with a CUDA toolkit, with PyTorch, or as the wheels
 * `nvidia-cuda-nvrtc` and `nvidia-cublas`. NCCL is needed only where one dictionary is spread over several GPUs; it comes with PyTorch, or as the wheel
 * `nvidia-nccl-cu13`. Searched in this order: the folders of LAZYSCOPE_CUDA_LIBRARIES (separated by
 * colons), the loader's own path, CUDA_HOME and CUDA_PATH, /usr/local/cuda*, and the site-packages of the Python
 * installations that PATH, VIRTUAL_ENV, CONDA_PREFIX and the usual folders point at.
 */
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import koffi from 'koffi';
import { LazyscopeError } from '../../errors.ts';

export type Library = ReturnType<typeof koffi.load>;
export type LibraryName = 'libcuda' | 'libnvrtc' | 'libcublasLt' | 'libnccl';

export interface LoadedLibrary {
  readonly name: LibraryName;
  /** The file, or the bare name where the loader's own path had it. */
  readonly path: string;
  readonly library: Library;
}

/** File names of the versions that this backend knows, the newest first. */
const fileNames: Readonly<Record<LibraryName, readonly string[]>> = {
  libcuda: ['libcuda.so.1'],
  libnvrtc: ['libnvrtc.so.13', 'libnvrtc.so.12'],
  libcublasLt: ['libcublasLt.so.13', 'libcublasLt.so.12'],
  libnccl: ['libnccl.so.2'],
};

const remedies: Readonly<Record<LibraryName, string>> = {
  libcuda: 'Install the NVIDIA driver, or choose --backend native.',
  libnvrtc:
    'Run pip install nvidia-cuda-nvrtc nvidia-cublas, install a CUDA toolkit, or name the folder in LAZYSCOPE_CUDA_LIBRARIES.',
  libcublasLt:
    'Run pip install nvidia-cublas, install a CUDA toolkit, or name the folder in LAZYSCOPE_CUDA_LIBRARIES.',
  libnccl:
    'GPUs of several processes send each other what they need by it: run pip install nvidia-nccl-cu13 (or -cu12), install libnccl2, or name the folder in LAZYSCOPE_CUDA_LIBRARIES.',
};

type Environment = Readonly<Record<string, string | undefined>>;

/** The files that may be the library, in the order in which they are tried; a bare name is for the loader's own path. */
export function libraryCandidates(name: LibraryName, environment: Environment = process.env): string[] {
  const named = (environment.LAZYSCOPE_CUDA_LIBRARIES ?? '').split(delimiter).filter(Boolean);
  const later =
    name === 'libcuda' ? ['/usr/lib/wsl/lib'] : [...toolkits(environment), ...wheels(environment)];
  const inFolders = (folders: readonly string[]) =>
    fileNames[name].flatMap((file) => folders.map((folder) => join(folder, file))).filter(existsSync);
  return [...inFolders(named), ...fileNames[name], ...inFolders(later)];
}

/** Loads the first candidate that loads. Throws `unavailable`, with what to install, where none does. */
export function loadLibrary(name: LibraryName, environment: Environment = process.env): LoadedLibrary {
  const failures: string[] = [];
  for (const path of libraryCandidates(name, environment)) {
    try {
      loadCompanions(name, path);
      return { name, path, library: koffi.load(path) };
    } catch (cause) {
      failures.push(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
  throw new LazyscopeError(
    'unavailable',
    `Backend cuda finds no ${fileNames[name].join(' or ')}. ${remedies[name]}`,
    { cause: new Error(failures.join('\n')) },
  );
}

/** Where a library lies, for people; empty where the loader's own path had it. */
export const placeOf = (path: string): string => (isAbsolute(path) ? ` in ${dirname(path)}` : '');

/** Held for good, because koffi unloads a library that nobody refers to. */
const companions: Library[] = [];

/** NVRTC opens its builtins by their bare name, and not every version looks for them beside itself. */
function loadCompanions(name: LibraryName, path: string): void {
  if (name !== 'libnvrtc' || !isAbsolute(path)) return;
  const folder = dirname(path);
  for (const file of entries(folder))
    if (file.startsWith('libnvrtc-builtins.so')) companions.push(koffi.load(join(folder, file)));
}

function toolkits({ CUDA_HOME, CUDA_PATH }: Environment): string[] {
  const installed = entries('/usr/local')
    .filter((name) => /^cuda(-|$)/.test(name))
    .sort()
    .reverse()
    .map((name) => join('/usr/local', name));
  const roots = [CUDA_HOME, CUDA_PATH, ...installed].filter((root) => root !== undefined && root !== '');
  const target = process.arch === 'arm64' ? 'targets/sbsa-linux/lib' : 'targets/x86_64-linux/lib';
  return roots.flatMap((root) => [
    join(root ?? '', 'lib64'),
    join(root ?? '', target),
    join(root ?? '', 'lib'),
  ]);
}

/** Where pip puts NVIDIA's wheels: version 13 in one folder, version 12 in one a library. */
function wheels({ VIRTUAL_ENV, CONDA_PREFIX, PATH }: Environment): string[] {
  const beside = (PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '' && existsSync(join(folder, 'python3')))
    .map(dirname);
  const prefixes = [VIRTUAL_ENV, CONDA_PREFIX, ...beside, join(homedir(), '.local'), '/usr/local', '/usr'];
  const packages = prefixes
    .filter((prefix) => prefix !== undefined && prefix !== '')
    .map((prefix) => join(prefix ?? '', 'lib'))
    .flatMap((lib) => pythons(lib))
    .flatMap((python) => [join(python, 'site-packages'), join(python, 'dist-packages')]);
  return [...new Set(packages)].flatMap((folder) =>
    ['cu13', 'cuda_nvrtc', 'cublas', 'nccl'].map((part) => join(folder, 'nvidia', part, 'lib')),
  );
}

function pythons(lib: string): string[] {
  return entries(lib)
    .filter((name) => name.startsWith('python3'))
    .sort()
    .reverse()
    .map((name) => join(lib, name));
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
