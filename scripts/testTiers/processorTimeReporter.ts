/**
 * Says which test files take the most processor time, and which of the fast tier take too much. `npm run test:fast` fails on
 * these, where a person can do something about it; the whole `npm test` does not, because a slower processor is no fault.
 */
import type { Reporter, TestModule } from 'vitest/node';
import { fastFileSeconds, isSlow } from './slowTests.ts';

export interface FileTime {
  file: string;
  seconds: number;
}

/** Files of the fast tier that are slow. */
export function tooSlow(times: readonly FileTime[]): FileTime[] {
  return times.filter(({ file, seconds }) => !isSlow(file) && seconds > fastFileSeconds);
}

export default class ProcessorTimeReporter implements Reporter {
  private readonly times: FileTime[] = [];

  onTestModuleEnd(module: TestModule) {
    // A file that could not be loaded has no time, and has failed already.
    const seconds = module.meta().processorSeconds;
    if (seconds !== undefined) this.times.push({ file: module.relativeModuleId, seconds });
  }

  onTestRunEnd() {
    const say = (line: string) => process.stdout.write(`${line}\n`);
    const times = this.times.toSorted((a, b) => b.seconds - a.seconds);
    const total = times.reduce((sum, { seconds }) => sum + seconds, 0);
    say(`processor time: ${total.toFixed(0)} s in ${times.length} files, the most in`);
    for (const { file, seconds } of times.slice(0, 5)) say(`  ${seconds.toFixed(1)} s  ${file}`);
    for (const { file, seconds } of tooSlow(times)) {
      const fails = process.env['LAZYSCOPE_FAST_TIER'] === '1';
      say(
        `${fails ? 'FAILED' : 'slow'}: ${file} took ${seconds.toFixed(1)} s of processor time and a file of the fast tier may take ` +
          `${fastFileSeconds}: make it faster, or name it in scripts/testTiers/slowTests.ts with the reason.`,
      );
      if (fails) process.exitCode = 1;
    }
  }
}
