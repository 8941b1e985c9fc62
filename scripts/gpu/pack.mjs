/**
 * `npm run gpu:pack -- --out FOLDER`: everything that `npm run gpu:check` needs, Node included, in one folder for a Linux
 * machine (x64) on which nothing can be installed; see docs/GPU.md. There: `FOLDER/check --out results.json`.
 *
 * The sources go along as they are, because Node 22.18 and newer run them. Of the packages only what runs is taken: no
 * types, no maps, no second builds, no binaries for other platforms.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync, copyFileSync, cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync,
} from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../setup.mjs';

const nodeVersion = '22';
const target = 'linux-x64';
/** The packages that the check imports. */
// prettier-ignore
const packages = [
  '@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu', '@tensorflow/tfjs-backend-wasm', '@tensorflow/tfjs-backend-webgpu',
  'webgpu', 'koffi', `@koromix/koffi-${target}`, '@huggingface/tokenizers', 'apache-arrow', 'commander', 'fflate', 'ml-matrix',
  'xz-decompress', 'yaml', 'zod', 'zstddec',
];

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'node_modules', '.cache', 'lazyscope', 'gpu-check') },
    node: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(
    'gpu:pack [--out FOLDER] [--node PATH]\n  --node PATH  a Node program for Linux x64, 22.18 or newer (default: fetched from the npm registry)\n',
  );
  process.exit(0);
}
const out = resolve(values.out);
if (existsSync(out) && !existsSync(join(out, 'check')) && readdirSync(out).length > 0)
  fail(`${out} is not empty and not of an earlier gpu:pack: name another --out.`);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
copySources();
copyPackages();
copyNode();
writeFileSync(
  join(out, 'check'),
  `#!/bin/sh\nhere="$(cd "$(dirname "$0")" && pwd)"\nexec "$here/node" --no-warnings "$here/scripts/gpu/check.ts" "$@"\n`,
);
chmodSync(join(out, 'check'), 0o755);
const bytes = filesUnder(out).reduce((sum, path) => sum + statSync(path).size, 0);
process.stderr.write(
  `${out}: ${(bytes / 1e6).toFixed(0)} MB. Pack it with: tar -cJf gpu-check.tar.xz -C ${out} .\n`,
);

function copySources() {
  const left = /\.test\.tsx?$|[\\/](fixtures|__snapshots__)[\\/]/;
  for (const folder of ['sae', 'scripts', 'server'])
    copyFiltered(
      join(root, folder),
      join(out, folder),
      (path) => !left.test(path) || /fixtures.(smallRuns|languageModelCases).ts$/.test(path),
    );
  for (const file of ['package.json', 'LICENSE']) copyFileSync(join(root, file), join(out, file));
}

/** Copies `packages` and what those need. */
function copyPackages() {
  const wanted = [...packages];
  const seen = new Set();
  while (wanted.length > 0) {
    const name = wanted.pop();
    if (seen.has(name)) continue;
    seen.add(name);
    const from = join(root, 'node_modules', name);
    if (!existsSync(from))
      fail(`The package ${name} is not installed: run npm ci on Linux x64, with optional packages.`);
    copyFiltered(from, join(out, 'node_modules', name), (path) => isRun(relative(from, path)));
    const { dependencies = {} } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'));
    wanted.push(...Object.keys(dependencies).filter((dependency) => !dependency.startsWith('@types/')));
  }
}

/** Whether Node reads a file of a package here. tfjs-core's single modules are read too, see sae/tensor/coreModules.ts. */
function isRun(path) {
  if (/\.(map|md|markdown|flow|c?ts|mts|cc|cpp|h|hh)$|(^|[\\/])(test|tests|docs|example|examples|benchmark)[\\/]|_test\.js$/.test(path))
    return false; // prettier-ignore
  if (/\.(min|es2017|esm|fesm)(\.min)?\.js$|tf-[\w-]+\.(es2017|fesm)/.test(path)) return false;
  const platform = /(^|[\\/])dist[\\/]((darwin|linux|win32)-\w+)[\\/]/.exec(path);
  return !platform || platform[2] === target;
}

function copyNode() {
  const to = join(out, 'node');
  if (values.node) copyFileSync(resolve(values.node), to);
  else {
    const folder = mkdtempSync(join(tmpdir(), 'lazyscope-node-'));
    const spec = `node-${target}@${nodeVersion}`;
    try {
      const [{ filename }] = JSON.parse(
        execFileSync('npm', ['pack', spec, '--json', '--silent'], { cwd: folder, encoding: 'utf8' }),
      );
      execFileSync('tar', ['-xzf', filename, 'package/bin/node'], { cwd: folder });
      copyFileSync(join(folder, 'package', 'bin', 'node'), to);
    } catch (error) {
      fail(
        `The package ${spec} could not be fetched (${error.message.split('\n')[0]}): give a Node program with --node.`,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  chmodSync(to, 0o755);
  try {
    execFileSync('strip', [to], { stdio: 'ignore' });
  } catch {
    process.stderr.write('No program strip: Node stays some 15 MB larger.\n');
  }
}

function copyFiltered(from, to, keep) {
  for (const path of filesUnder(from)) {
    if (!keep(path) || path.includes(`node_modules${'/'}.cache`)) continue;
    const target = join(to, relative(from, path));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(path, target, { dereference: true });
  }
}

function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && lstatSync(join(entry.parentPath, entry.name)).isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function fail(message) {
  process.stderr.write(`gpu:pack: ${message}\n`);
  process.exit(2);
}
