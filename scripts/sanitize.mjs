/**
 * Builds the native library's self-test under the address, undefined-behaviour and thread sanitizers and runs
 * it: `node scripts/sanitize.mjs [address|thread]`. Exits 1 when a sanitizer or the test complains.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './setup.mjs';

const native = join(root, 'sae', 'backends', 'native');
const source = join(native, 'source');
const sanitizers = {
  address: ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
  thread: ['-fsanitize=thread'],
};
const chosen = process.argv[2] ? [process.argv[2]] : Object.keys(sanitizers);
const compiler = process.env.CXX || 'c++';
const folder = mkdtempSync(join(tmpdir(), 'lazyscope-sanitize-'));
let failed = false;

try {
  for (const name of chosen) {
    if (!(name in sanitizers)) {
      process.stderr.write(`lazyscope: '${name}' is not a sanitizer: choose address or thread.\n`);
      process.exit(2);
    }
    const program = join(folder, name);
    const sources = readdirSync(source).filter((file) => file.endsWith('.cc'));
    const built = run(compiler, [
      '-O1', '-g', '-march=native', '-std=c++17', '-pthread', '-fno-math-errno', '-fno-trapping-math',
      '-I', source,
      ...sanitizers[name],
      ...sources.map((file) => join(source, file)),
      join(native, 'selfTest.cc'),
      '-o', program,
    ]); // prettier-ignore
    const passed = built && run(program, []);
    process.stderr.write(`${name}: ${passed ? 'passed' : 'FAILED'}\n`);
    failed ||= !passed;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);

function run(command, args) {
  return spawnSync(command, args, { stdio: ['ignore', 2, 2] }).status === 0;
}
