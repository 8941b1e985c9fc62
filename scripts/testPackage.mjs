/**
 * `npm run test:package`: packs the package, installs the tarball without development packages into an empty project
 * outside the checkout, and uses it there as somebody would: types, library, client, command line, explorer, and the
 * examples of docs/examples. The last line counts: `N passed, N failed, N skipped`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { build } from 'esbuild';
import { ensureInstalled, root } from './setup.mjs';

ensureInstalled();

const mostMegabytes = 10;
const folder = mkdtempSync(join(tmpdir(), 'lazyscope-package-'));
const installed = join(folder, 'node_modules', 'lazyscope');
const examples = join(root, 'docs', 'examples');
const counts = { passed: 0, failed: 0, skipped: 0 };
const minute = 60_000;

/** Thrown by a check that can't run on this machine. */
class Skipped extends Error {}

/** The environment without the variables that `npm run` sets: they would send a second npm back into the checkout. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^(INIT_CWD|npm_(package_.*|lifecycle_.*|command|config_(.*prefix|loglevel|json|dry_run|strict_allow_scripts)))$/i.test(
        name,
      ),
  ),
);

try {
  const tarball = await test('npm pack makes a tarball of at most 10 MB', pack);
  if (tarball && (await test('it installs into an empty project, without development packages', () => install(tarball)))) {
    await test('it holds no path of the machine that built it', holdsNoPaths);
    const compiled = await test('a strict NodeNext consumer compiles without an error', compiles);
    await test('its own declarations have none even where those of libraries are checked', ownDeclarations);
    if (compiled) await test('docs/examples/library.ts trains, reconstructs and exports', library);
    await test("the client's bundle, for a browser, holds no server code", clientBundle);
    await test('lazyscope doctor finds a backend', doctor);
    await test('docs/examples/cli.sh goes from a text to another tool’s format', commandLine);
    if (await test('lazyscope demo --no-serve does the whole job', demo))
      await test('lazyscope serve: the API, the built explorer, docs/examples/client.ts', () => serve(compiled));
  } // prettier-ignore
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exitCode = counts.failed === 0 ? 0 : 1;

/** What `check` returned, or true, or false where it failed or could not be run. */
async function test(name, check) {
  const started = performance.now();
  const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  try {
    const result = await check();
    counts.passed++;
    process.stdout.write(`✓ ${name} (${seconds()})\n`);
    return result ?? true;
  } catch (error) {
    const skipped = error instanceof Skipped;
    counts[skipped ? 'skipped' : 'failed']++;
    process.stdout.write(
      `${skipped ? 'skipped' : '✗'}: ${name} (${seconds()})\n${skipped ? error.message : error.stack}\n`,
    );
    return false;
  }
}

function pack() {
  const { stdout } = run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root });
  const [{ filename, size }] = JSON.parse(stdout.slice(stdout.indexOf('[')));
  const megabytes = size / 1e6;
  process.stdout.write(`  ${filename}: ${megabytes.toFixed(1)} MB\n`);
  if (megabytes > mostMegabytes)
    throw new Error(`${megabytes.toFixed(1)} MB is more than ${mostMegabytes} MB.`);
  return join(folder, filename);
}

function install(tarball) {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, type: 'module' }),
  );
  const types = `@types/node@${devDependencies['@types/node']}`;
  const args = ['install', '--omit=dev', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, stderr } = run('npm', [...args, tarball, types], { fail: false, timeout: 10 * minute });
  const unreachable =
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|network/i.exec(stderr);
  if (status !== 0 && unreachable)
    throw new Skipped(
      `npm's registry can't be reached (${unreachable[0]}) and its cache lacks packages: nothing was tested.`,
    );
  if (status !== 0) throw new Error(stderr);
}

function holdsNoPaths() {
  const naming = filesUnder(installed).filter((file) => readFileSync(file).includes(root));
  equal(
    naming.map((file) => relative(installed, file)),
    [],
  );
}

function compiles() {
  for (const name of ['library.ts', 'client.ts']) copyFileSync(join(examples, name), join(folder, name));
  // An expected error that doesn't occur is an error itself, so this also fails where a type has become `any`.
  const strict = `
    import { startBackend, StoreLayout, train } from 'lazyscope';
    import { createLazyscopeClient, type RunRow } from 'lazyscope/client';
    import { architectures, type RunManifest } from 'lazyscope/spec';
    const backend = await startBackend('cpu');
    // @ts-expect-error
    export const threads: string = backend.threads;
    // @ts-expect-error
    export const root: number = new StoreLayout('data').root;
    // @ts-expect-error
    await train({ store: 'data' });
    const runs = await createLazyscopeClient({ url: '' }).runs.list.query();
    export const rows: readonly RunRow[] = runs;
    // @ts-expect-error
    export const seeds: readonly string[] = runs.map(({ seed }) => seed);
    // @ts-expect-error
    export const label: number = architectures.topk.label;
    // @ts-expect-error
    export const status: RunManifest['status'] = 'never heard of';
  `;
  writeFileSync(join(folder, 'strict.ts'), strict);
  const compilerOptions = {
    target: 'es2023', lib: ['es2023'], module: 'nodenext', types: ['node'], outDir: 'out', rootDir: '.',
    strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: true,
  }; // prettier-ignore
  const files = ['strict.ts', 'library.ts', 'client.ts'];
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  run(process.execPath, [tsc(), '-p', '.']);
}

/** The declarations of libraries are theirs to keep right, so that errors in them are named and not counted. */
function ownDeclarations() {
  const args = [tsc(), '-p', '.', '--noEmit', '--pretty', 'false', '--skipLibCheck', 'false', '--lib', 'es2023,dom,dom.iterable']; // prettier-ignore
  const { stdout } = run(process.execPath, args, { fail: false });
  const errors = stdout.split('\n').filter((line) => /: error TS/.test(line));
  const theirs = new Map();
  for (const error of errors) {
    const library = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(error.split(': error')[0])?.[1];
    if (library !== undefined && library !== 'lazyscope')
      theirs.set(library, (theirs.get(library) ?? 0) + 1);
    else throw new Error(error);
  } // prettier-ignore
  for (const [library, count] of theirs)
    process.stdout.write(`  ${count} in ${library}'s own declarations\n`);
}

function library() {
  const { stdout } = run(process.execPath, ['out/library.js']);
  const fvu = Number(/held out: FVU ([\d.]+)/.exec(stdout)?.[1]);
  // The mean alone would score 1.
  if (!(fvu > 0 && fvu < 0.3)) throw new Error(`FVU ${fvu}: ${stdout}`);
  if (!stdout.includes('exported for SAELens')) throw new Error(stdout);
}

async function clientBundle() {
  writeFileSync(join(folder, 'page.js'), "export { createLazyscopeClient } from 'lazyscope/client';");
  // The bundle is for browsers, so an import of a Node module makes it fail.
  const { metafile, outputFiles } = await build({
    absWorkingDir: folder, entryPoints: ['page.js'], bundle: true, write: false, metafile: true,
    platform: 'browser', format: 'esm', logLevel: 'silent',
  }); // prettier-ignore
  const inputs = Object.keys(metafile.inputs);
  const own = inputs.filter((path) => /node_modules\/lazyscope\/(?!node_modules)/.test(path));
  const mine = ['server/contract/batchSize.js', 'server/client.js'];
  equal(own.sort(), mine.map((path) => `node_modules/lazyscope/dist/${path}`).sort());
  const packages = inputs.map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
  // tRPC's client itself imports what it shares with tRPC's server from these paths.
  const known = ['lazyscope', '@trpc/client', '@trpc/server', 'eventsource', 'eventsource-parser', undefined];
  equal([...new Set(packages)].filter((name) => !known.includes(name)), []); // prettier-ignore
  const [{ text }] = outputFiles;
  equal(/duckdb|tfjs|from ?["'](hono|next|node:)/.exec(text)?.[0], undefined);
  process.stdout.write(`  ${(text.length / 1e3).toFixed(0)} kB, not minified\n`);
}

function doctor() {
  const said = JSON.parse(lazyscope('doctor', '--json').stdout);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  equal(said.lazyscope, version);
  // Where there is a compiler, the C++ sources of the package are what it compiles.
  const compiler = spawnSync('c++', ['--version']).status === 0;
  if (compiler) equal(said.backends.find(({ name }) => name === 'native').works, true);
  equal(said.problem, null);
}

function commandLine() {
  run('sh', [join(examples, 'cli.sh')], { timeout: 10 * minute });
  const { evaluations } = JSON.parse(readFileSync(join(folder, 'evaluation.json'), 'utf8'));
  equal(
    evaluations.map(({ run, seed, l0 }) => [run, seed, l0]),
    [['sotu-topk', 0, 16]],
  );
  equal(existsSync(join(folder, 'sotu-topk-saelens', 'sae_weights.safetensors')), true);
}

function demo() {
  const { stdout } = lazyscope('demo', '--no-serve', '--tokens', '20000', '--training-tokens', '20000', '--json');
  const document = JSON.parse(stdout);
  equal(typeof document, 'object');
  const runs = readdirSync(join(folder, 'data', 'runs')).filter((name) => name.startsWith('demo-'));
  equal(runs.sort(), ['demo-jumprelu', 'demo-relu', 'demo-topk']);
  equal(document.reproducibility.map(({ name }) => name).sort(), runs);
  // What is there already stays, and the second call says by which settings it differs.
  const again = lazyscope('demo', '--no-serve', '--tokens', '20000', '--training-tokens', '30000', '--json');
  for (const name of runs)
    equal(again.stderr.includes(`'${name}' stays as an earlier demo trained it (tokens 20000 instead of 30000`), true);
  equal(JSON.parse(again.stdout).runs, document.runs);
} // prettier-ignore

async function serve(compiled) {
  const before = fingerprint();
  // Not through npx, so that the process to end is the server itself.
  const server = spawn(process.execPath, [join(installed, 'scripts', 'lazyscope.mjs'), 'serve', '--port', '0'], {
    cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'],
  }); // prettier-ignore
  let said = '';
  for (const stream of [server.stdout, server.stderr])
    stream.setEncoding('utf8').on('data', (text) => (said += text));
  const ended = new Promise((resolve) => server.once('close', resolve));
  try {
    const url = await until(() => /Lazyscope is at (\S+)/.exec(said)?.[1], () => `${server.exitCode} ${said}`); // prettier-ignore
    if (/Building the explorer/.test(said)) throw new Error(said);
    for (const path of ['/', '/runs', '/runs/demo-topk/0', '/compare', '/lazy']) await page(url, path);
    if (compiled) {
      const { stdout } = run(process.execPath, ['out/client.js', url], { timeout: 5 * minute });
      equal(/^demo-topk\/0: topk, L0 /m.test(stdout) && /^job done$/m.test(stdout), true);
    }
  } finally {
    server.kill('SIGINT');
    await ended;
  }
  // The person who runs the server may have no right to write into the package's folder.
  equal(fingerprint(), before);
}

/** The name and time of change of every file of the installed package. */
function fingerprint() {
  return filesUnder(installed).map((file) => `${relative(installed, file)} ${statSync(file).mtimeMs}`);
}

/** A page is HTML, and every script and style sheet that it names is there. */
async function page(url, path) {
  const answer = await fetch(url + path);
  equal([path, answer.status, answer.headers.get('content-type')?.split(';')[0]], [path, 200, 'text/html']);
  const html = await answer.text();
  const assets = new Set(html.match(/\/_next\/static\/[^"'\\?]+\.(?:js|css)/g));
  const kinds = [...assets].map((asset) => asset.split('.').at(-1));
  equal([...new Set(kinds)].sort(), ['css', 'js']);
  for (const asset of assets) {
    const { status, headers } = await fetch(url + asset);
    equal([asset, status, /javascript|css/.test(headers.get('content-type'))], [asset, 200, true]);
  }
}

function lazyscope(...args) {
  return run('npx', ['--no-install', 'lazyscope', ...args], { timeout: 10 * minute });
}

function run(command, args, { cwd = folder, fail = true, timeout = 3 * minute } = {}) {
  const shell = process.platform === 'win32';
  const result = spawnSync(command, args, { cwd, env, timeout, shell, encoding: 'utf8', maxBuffer: 2 ** 26 });
  const { status, stdout, stderr, error } = result;
  if (fail && status !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${error ?? ''}\n${stdout}${stderr}`);
  return result;
}

async function until(check, explain) {
  const end = performance.now() + 2 * minute;
  for (;;) {
    const found = check();
    if (found) return found;
    if (performance.now() > end) throw new Error(`Waited in vain: ${explain()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function equal(found, wanted) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`found ${a} instead of ${b}`);
}

function tsc() {
  return join(root, 'node_modules', 'typescript', 'bin', 'tsc');
}

function filesUnder(path) {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.startsWith('node_modules'))
    .map((name) => join(path, name))
    .filter((name) => statSync(name).isFile());
}
