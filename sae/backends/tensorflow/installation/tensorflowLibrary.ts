/** Finding libtensorflow with its C headers: in an installation of Python's TensorFlow, in any folder, or in a wheel. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';
import { LazyscopeError } from '../../../errors.ts';
import { openZip, type ZipFile } from '../../../formats/zipFile.ts';
import { makeFolder } from '../../../store/makeFolder.ts';

export interface TensorflowLibrary {
  /** The files that the add-on is linked with. */
  libraries: string[];
  /** The folder with `tensorflow/c/c_api.h`. */
  include: string;
  source: string;
}

const suffix = process.platform === 'darwin' ? '2.dylib' : 'so.2';
const framework = `libtensorflow_framework.${suffix}`;
/** The C API of Python's packages, and that of the archives for C. */
const apis = [`libtensorflow_cc.${suffix}`, `libtensorflow.${suffix}`];

/** Where in a folder the libraries and the headers may be: site-packages, the Python package in it, an unpacked archive for C. */
const layouts = [
  { libraries: 'tensorflow', include: 'tensorflow/include' },
  { libraries: '.', include: 'include' },
  { libraries: 'lib', include: 'include' },
] as const;

/** Throws `not_found` where there is no library, or no headers, in a folder. */
export function libraryInFolder(folder: string): TensorflowLibrary {
  const source = resolve(folder);
  if (!existsSync(source))
    throw new LazyscopeError('not_found', `'${folder}' does not exist: check the path.`);
  for (const layout of layouts) {
    const place = join(source, layout.libraries);
    const libraries = librariesIn((name) => existsSync(join(place, name)));
    const include = join(source, layout.include);
    if (!libraries) continue;
    if (!existsSync(join(include, 'tensorflow', 'c', 'c_api.h')))
      throw new LazyscopeError(
        'not_found',
        `${place} has libtensorflow, but ${include} lacks tensorflow/c/c_api.h: give the whole package, or its wheel with --wheel.`,
      );
    return { libraries: libraries.map((name) => realpathSync(join(place, name))), include, source };
  }
  throw new LazyscopeError(
    'not_found',
    `'${folder}' has no ${apis.join(' or ')}: give the site-packages folder of a Python that has TensorFlow 2, or an unpacked libtensorflow.`,
  );
}

function librariesIn(exists: (name: string) => boolean): string[] | null {
  const api = apis.find(exists);
  if (!api) return null;
  return exists(framework) ? [api, framework] : [api];
}

/** The TensorFlow of the Python on the path. It is looked for and not imported. Throws `not_found` where there is none. */
export function libraryOfPython(): TensorflowLibrary {
  const question =
    "import importlib.util as u; s = u.find_spec('tensorflow'); print(s.submodule_search_locations[0] if s else '')";
  for (const python of ['python3', 'python']) {
    const { status, stdout } = spawnSync(python, ['-c', question], { encoding: 'utf8' });
    const folder = status === 0 ? stdout.trim() : '';
    if (folder) return libraryInFolder(dirname(folder));
  }
  throw new LazyscopeError(
    'not_found',
    'The Python on the path has no TensorFlow: give its site-packages folder with --from, or a wheel with --wheel (python3 -m pip download --no-deps tensorflow-cpu fetches one).',
  );
}

/** libtensorflow is packed to a quarter of its size and less. */
const wheelInflation = 12;

/**
 * Unpacks the libraries of a wheel into `into`/lib and the headers that `headers` reach into `into`/include, and nothing else. Throws `bad_input`
 * for a wheel that isn't TensorFlow's or is of another platform, `corrupt`, and what writing throws.
 */
export async function libraryOfWheel(
  wheel: string,
  into: string,
  headers: readonly string[],
  { signal, progress }: { signal: AbortSignal; progress: (file: string) => void },
): Promise<TensorflowLibrary> {
  const zip = openZip(wheel, wheelInflation);
  checkWheel(zip, wheel);
  const names = new Set(zip.names);
  const libraries = librariesIn((name) => names.has(`tensorflow/${name}`));
  if (!libraries)
    throw new LazyscopeError(
      'bad_input',
      `'${wheel}' has no ${apis[0]}: take a wheel of tensorflow or tensorflow-cpu that was made for this system.`,
    );
  const include = join(into, 'include');
  for (const name of reachableHeaders(zip, headers)) {
    const path = join(include, name);
    makeFolder(dirname(path));
    await zip.extract(`${wheelInclude}/${name}`, path, signal);
  }
  const lib = join(into, 'lib');
  mkdirSync(lib);
  for (const name of libraries) {
    progress(name);
    await zip.extract(`tensorflow/${name}`, join(lib, name), signal);
  }
  return { libraries: libraries.map((name) => join(lib, name)), include, source: resolve(wheel) };
}

const wheelInclude = 'tensorflow/include';

/** The headers that `roots` include, directly or through others, by their names under `include`. Those of the system are left out. */
function reachableHeaders(zip: ZipFile, roots: readonly string[]): string[] {
  const names = new Set(zip.names);
  const found = new Set<string>();
  const waiting = [...roots];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (found.has(name) || !names.has(`${wheelInclude}/${name}`)) continue;
    found.add(name);
    waiting.push(
      ...includesOf(Buffer.from(zip.read(`${wheelInclude}/${name}`)).toString(), posix.dirname(name)),
    );
  }
  return [...found];
}

/** The files that a C++ text includes in quotes, as they are written and as seen from its own folder. */
export function includesOf(text: string, folder = '.'): string[] {
  return [...text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)].flatMap(([, name]) => [
    name,
    posix.join(folder, name),
  ]);
}

/** Throws `bad_input` for a wheel of something else, or of another processor or system. */
function checkWheel(zip: ZipFile, wheel: string): void {
  const description = zip.names.find((name) => /^tensorflow[\w.-]*\.dist-info\/WHEEL$/.test(name));
  if (!description) throw new LazyscopeError('bad_input', `'${wheel}' is not a wheel of TensorFlow.`);
  const tags = [
    ...Buffer.from(zip.read(description))
      .toString()
      .matchAll(/^Tag: \S+-(\S+)$/gm),
  ].map(([, tag]) => tag);
  if (!tags.some(fits))
    throw new LazyscopeError(
      'bad_input',
      `'${wheel}' is made for ${tags.join(', ')}, and this is ${process.platform}-${process.arch}: fetch the wheel on this machine, or with pip's --platform.`,
    );
}

function fits(tag: string): boolean {
  const system = { linux: 'linux', darwin: 'macosx' }[process.platform as string];
  const processors = { x64: ['x86_64', 'universal2'], arm64: ['aarch64', 'arm64', 'universal2'] };
  const own = processors[process.arch as keyof typeof processors] ?? [];
  return system !== undefined && tag.includes(system) && own.some((name) => tag.endsWith(name));
}

/** The folder with node_api.h of the running Node; null for a Node that came without it. */
export function nodeHeaders(): string | null {
  const folder = join(dirname(realpathSync(process.execPath)), '..', 'include', 'node');
  return existsSync(join(folder, 'node_api.h')) ? folder : null;
}

/** Throws `not_found` for a folder without node_api.h. */
export function checkHeaders(folder: string): string {
  if (existsSync(join(folder, 'node_api.h'))) return resolve(folder);
  throw new LazyscopeError('not_found', `'${folder}' has no node_api.h: give the include folder of Node.`);
}
