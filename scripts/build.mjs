/**
 * `npm run build`: the package's `dist/`, which is what `npm pack` packs besides the bundled models.
 *
 *     dist/sae, dist/server, dist/scripts   JavaScript and declarations of what the exports and the command reach
 *     dist/web                              the explorer, built, without paths of the machine that built it
 *     dist/site                             the pages of published sites, built
 *
 * What is current is not built again; `--library` leaves the explorer out, for checks that don't need it.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync,
} from 'node:fs'; // prettier-ignore
import { dirname, join, relative, sep } from 'node:path';
import { root } from './setup.mjs';

const dist = join(root, 'dist');
const cache = join(root, 'node_modules', '.cache', 'lazyscope');
/** What backends compile on the machine where they run: C++, and CUDA C++. */
const compiledThere = ['native', 'cuda', 'cuda/softwareDevice'].map((part) =>
  join('sae', 'backends', part, 'source'),
);

await buildLibrary();
if (!process.argv.includes('--library')) {
  await buildExplorer();
  await buildSitePages();
}

/** JavaScript, declarations and the C++ sources. */
async function buildLibrary() {
  const inputs = ['sae', 'server', 'scripts', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json', 'web/next.config.ts']; // prettier-ignore
  await ifStale('library', hashOf(inputs), () => existsSync(join(dist, 'sae', 'index.js')), () => {
    const stage = join(cache, `dist-${process.pid}`);
    rmSync(stage, { recursive: true, force: true });
    try {
      run(join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json', '--outDir', stage);
      for (const source of compiledThere) cpSync(join(root, source), join(stage, source), { recursive: true });
      mkdirSync(join(dist, 'web'), { recursive: true });
      // All of it is made before any of it takes the old one's place, and nothing of the old one stays.
      for (const folder of ['sae', 'server', 'scripts']) {
        rmSync(join(dist, folder), { recursive: true, force: true });
        renameSync(join(stage, folder), join(dist, folder));
      }
      renameSync(join(stage, 'web', 'next.config.js'), join(dist, 'web', 'next.config.js'));
    } finally {
      rmSync(stage, { recursive: true, force: true });
    }
  }); // prettier-ignore
}

/** Copies from the checkout's build of the explorer, which is made if it isn't current, the files that serving needs. */
async function buildExplorer() {
  const web = join(root, 'web');
  const { ensureExplorerBuilt } = await import('../dist/server/explorerBuild.js');
  await ensureExplorerBuilt({ web, root, log: (line) => process.stderr.write(`${line}\n`) });
  const from = join(web, '.next');
  const to = join(dist, 'web', '.next');
  const hash = readFileSync(join(from, 'lazyscope-build'), 'utf8');
  await ifStale('explorer', hash, () => existsSync(join(to, 'BUILD_ID')), () => {
    rmSync(to, { recursive: true, force: true });
    cpSync(from, to, { recursive: true, filter: (path) => isServed(relative(from, path)) });
    makeRelocatable(web, to);
  }); // prettier-ignore
}

/** The pages of published sites, by the sources themselves: the bundler is no part of the package. */
async function buildSitePages() {
  const inputs = ['charts', 'client', 'components', 'format', 'site', 'styles'].map((name) =>
    join('web', name),
  );
  inputs.push('sae', 'server', join('scripts', 'site'), 'package-lock.json');
  const out = join(dist, 'site');
  await ifStale('site', hashOf(inputs), () => existsSync(join(out, 'index.html')), async () => {
    rmSync(out, { recursive: true, force: true });
    (await import('tsx/esm/api')).register();
    const { buildPages } = await import('./site/buildPages.ts');
    await buildPages({ root, out });
  }); // prettier-ignore
}

/** Whether `next start` reads a file of the build, rather than the builder, a debugger or a bundler of servers. */
function isServed(path) {
  const [top] = path.split(sep);
  const forBuilders = [
    'cache',
    'diagnostics',
    'dev',
    'trace',
    'trace-build',
    'turbopack',
    'types',
    'lazyscope-build',
  ];
  // Servers of earlier versions kept a cache here.
  if (path.startsWith(join('server', 'route-cache'))) return false;
  return !forBuilders.includes(top) && !/\.(map|nft\.json)$|^required-server-files\.js$/.test(path);
}

/** Next.js writes down where it built. Those paths become relative, and no others may be left. */
function makeRelocatable(web, folder) {
  const path = join(folder, 'required-server-files.json');
  const portable = (_, value) =>
    typeof value === 'string' && (value === root || value.startsWith(root + sep))
      ? relative(web, value) || '.'
      : value;
  writeFileSync(path, JSON.stringify(JSON.parse(readFileSync(path, 'utf8')), portable, 2));
  for (const file of filesUnder(folder))
    if (readFileSync(file).includes(root))
      throw new Error(
        `${relative(root, file)} names the folder it was built in: the explorer can't be moved.`,
      );
}

async function ifStale(what, hash, exists, build) {
  const stamp = join(cache, `built-${what}`);
  if (exists() && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  const started = performance.now();
  rmSync(stamp, { force: true });
  await build();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, hash);
  process.stderr.write(`dist: built the ${what} in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}

/** A checksum of the names and contents of the sources that are built, without tests. */
function hashOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths)
    for (const file of filesUnder(join(root, path)))
      if (!/\.test\.tsx?$/.test(file)) hash.update(`${relative(root, file)}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

function filesUnder(path) {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function run(script, ...args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(1);
}
