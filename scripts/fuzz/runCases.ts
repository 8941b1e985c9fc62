/**
 * The cases of one format, in a process of their own: `runCases.ts FORMAT SEED FIRST COUNT`. Each case is said to the parent
 * before it runs, so that it is known which one hung or ended the process; a failing one is said with its kind and message.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isLazyscopeError } from '../../sae/errors.ts';
import { Random } from '../../sae/numerics/random.ts';
import { fuzzedFormats } from './fuzzedFormats.ts';
import { Inconsistent } from './fuzzedFormat.ts';
import type { CaseReport } from './caseReport.ts';

/** Of processor time, so that a busy machine makes no hang. */
const longestMs = 2000;
const freeBytes = 64 << 20;

/** Highest resident memory of this process since `resetPeak`, in bytes; undefined where the system doesn't tell. */
function peak(): number | undefined {
  try {
    const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
    return line ? Number(line[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}
function resetPeak(): boolean {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
    return true;
  } catch {
    return false;
  }
}

const say = (report: CaseReport) => new Promise((resolve) => process.send?.(report, undefined, {}, resolve));
const [name, seed, first, count] = process.argv.slice(2);
const format = fuzzedFormats.find((one) => one.name === name);
if (!format) throw new Error(`there is no format '${name}'`);
const folder = mkdtempSync(join(tmpdir(), 'lazyscope-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const { write, read } = await format.prepare(folder);
// What a reader loads when it is first used is not the case's own.
try {
  await read();
} catch {
  // There is nothing to read yet.
}

for (let at = Number(first); at < Number(first) + Number(count); at++) {
  void say({ began: at });
  const bytes = await write(Random.fromSeed(Number(seed) + at, name));
  const measurable = resetPeak();
  const memory = process.memoryUsage.rss();
  const began = process.cpuUsage();
  let failure: { kind: string; message: string } | undefined;
  let outcome: 'accepted' | 'refused' = 'accepted';
  try {
    await read();
  } catch (error) {
    outcome = 'refused';
    if (error instanceof Inconsistent) failure = { kind: 'inconsistent', message: error.message };
    else if (!isLazyscopeError(error))
      failure = {
        kind: 'untyped',
        message: String(error instanceof Error ? error.stack : error).slice(0, 600),
      };
  }
  const { user, system } = process.cpuUsage(began);
  const ms = (user + system) / 1000;
  let grown = (measurable ? (peak() ?? 0) : 0) - memory;
  // Garbage of earlier cases may fall into this one; what is its own, it takes again.
  if (!failure && grown > 4 * bytes + freeBytes) {
    resetPeak();
    const again = process.memoryUsage.rss();
    await (async () => read())().catch(() => {});
    grown = Math.min(grown, (peak() ?? 0) - again);
  }
  if (!failure && ms > longestMs)
    failure = { kind: 'hang', message: `${Math.round(ms)} ms of processor time` };
  if (!failure && grown > 4 * bytes + freeBytes)
    failure = { kind: 'memory', message: `${Math.round(grown / 2 ** 20)} MB for a file of ${bytes} bytes` };
  await say({ ended: at, outcome, ms, bytes, grown, failure });
}
// A database may still be open.
process.exit(0);
