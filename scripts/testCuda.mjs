/**
 * `npm run test:cuda [-- compile|sanitizers|order|races …]`: what a GPU backend can be held to on a machine without a GPU, beyond
 * what `npm test` runs. Every kernel is compiled by NVRTC for four architectures; then the backend's tests run on the software
 * device under the address and undefined-behaviour sanitizers, with threads in random order, and with a report of
 * unsynchronised accesses. Minutes on two cores. Without a C++ compiler, or NVRTC, the parts that need it are skipped, aloud.
 *
 * pip fetches the wheel of NVRTC once into the user's cache, unless LAZYSCOPE_CUDA_LIBRARIES names a folder that has it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { ensureInstalled, root } from './setup.mjs';

ensureInstalled();

const userCache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lazyscope');
const compiler = ['c++', 'g++', 'clang++'].find((command) => answers(command, ['--version']));
const folder = 'sae/backends/cuda';
/** Tests of other things than kernels, to which the modes of the device add nothing. */
const withoutKernels =
  /^softwareDevice|^(compiledKernels|deviceMemory|deviceOfProcess|kernelImages|launchArguments|libraries|lostDevice|memoryShortage|nccl|nvrtc|programs|severalDevices|signatures)\./;
/** Tests of kernels by known answers, and of whole runs. */
const kernels = readdirSync(join(root, folder), { recursive: true })
  .filter((file) => file.endsWith('.test.ts') && !withoutKernels.test(file))
  .map((file) => `${folder}/${file}`);
const conformance = [
  'sae/backends/conformance.test.ts',
  'sae/ops/languageModelOps.test.ts',
  'sae/ops/sparsityOps.test.ts',
  '-t',
  'cuda',
];

/** One dictionary on the devices of two processes. */
const processes = ['sae/training/sharding/shardingOnDevices.test.ts', '-t', 'on 2 devices'];

const counts = { passed: 0, failed: 0, skipped: 0 };
const parts = { compile, sanitizers, order, races };

const chosen = process.argv.slice(2);
for (const name of chosen)
  if (!(name in parts)) {
    process.stderr.write(
      `lazyscope: '${name}' is not a part: choose from ${Object.keys(parts).join(', ')}.\n`,
    );
    process.exit(2);
  }
for (const name of chosen.length > 0 ? chosen : Object.keys(parts)) parts[name](name);
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exit(counts.failed === 0 ? 0 : 1);

function compile(part) {
  const libraries = process.env.LAZYSCOPE_CUDA_LIBRARIES || fetchedNvrtc();
  if (!libraries) return skip(part, "pip can't fetch a wheel of nvidia-cuda-nvrtc here");
  const files = [`${folder}/compiledKernels.test.ts`, `${folder}/nvrtc.test.ts`];
  run(part, files, { LAZYSCOPE_CUDA_LIBRARIES: libraries, LAZYSCOPE_CUDA_ARCHITECTURES: 'all' });
}

function sanitizers(part) {
  if (!compiler) return skip(part, 'there is no C++ compiler');
  const runtimes = ['libasan.so', 'libubsan.so'].map((name) => {
    const { stdout } = spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' });
    return stdout?.trim() ?? '';
  });
  // A compiler that lacks the library answers with the bare name.
  if (!runtimes.every((path) => isAbsolute(path)))
    return skip(part, `${compiler} has no run-time of its sanitizers`);
  const environment = {
    LAZYSCOPE_CUDA_SANITIZE: '1',
    // Node itself never frees some of its memory.
    ASAN_OPTIONS: 'detect_leaks=0',
    LD_PRELOAD: runtimes.join(':'),
  };
  run(part, [`${folder}/softwareDevice/sanitizers.test.ts`, ...kernels], environment);
  run(part, conformance, environment);
  run(part, [`${folder}/softwareDevice/nccl.test.ts`], environment);
}

function order(part) {
  if (!compiler) return skip(part, 'there is no C++ compiler');
  run(part, kernels, { LAZYSCOPE_CUDA_ORDER: '1' });
  run(part, conformance, { LAZYSCOPE_CUDA_ORDER: '2' });
  run(part, processes, { LAZYSCOPE_CUDA_ORDER: '3' });
}

function races(part) {
  if (!compiler) return skip(part, 'there is no C++ compiler');
  run(part, kernels, { LAZYSCOPE_CUDA_RACES: '1' });
  run(part, conformance, { LAZYSCOPE_CUDA_RACES: '1' });
  run(part, processes, { LAZYSCOPE_CUDA_RACES: '1' });
}

function run(part, args, environment) {
  const start = performance.now();
  const { status } = spawnSync(
    process.execPath,
    // Several files wait for the device and their kernels to be compiled, which takes minutes with sanitizers.
    [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--hookTimeout=900000', ...args],
    {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, LAZYSCOPE_CUDA_DEVICE: 'software', ...environment },
    },
  );
  const ok = status === 0;
  counts[ok ? 'passed' : 'failed']++;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(
    `test:cuda ${part} (${args.join(' ')}): ${ok ? 'passed' : 'FAILED'} in ${seconds} s\n`,
  );
}

function skip(part, why) {
  counts.skipped++;
  process.stdout.write(`test:cuda ${part}: SKIPPED, because ${why}.\n`);
}

/** The folder of NVRTC from its wheel, or null where that can't be had. */
function fetchedNvrtc() {
  const wheels = join(userCache, 'wheels');
  const unpacked = join(userCache, 'nvrtc');
  const libraries = join(unpacked, 'nvidia', 'cu13', 'lib');
  if (existsSync(join(libraries, 'libnvrtc.so.13'))) return libraries;
  const cached = () =>
    existsSync(wheels) && readdirSync(wheels).find((name) => /^nvidia_cuda_nvrtc-13\..*\.whl$/.test(name));
  if (!cached()) {
    mkdirSync(wheels, { recursive: true });
    const request = [
      'download',
      '--quiet',
      '--no-deps',
      '--only-binary=:all:',
      '--dest',
      wheels,
      'nvidia-cuda-nvrtc>=13,<14',
    ];
    if (!answers('python3', ['-m', 'pip', ...request]) || !cached()) return null;
  }
  if (!answers('python3', ['-m', 'zipfile', '-e', join(wheels, cached()), unpacked])) return null;
  return existsSync(join(libraries, 'libnvrtc.so.13')) ? libraries : null;
}

function answers(command, args) {
  const { error, status } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 2], timeout: 600_000 });
  return !error && status === 0;
}
