/**
 * A set-up file of Vitest: notes in every test file how much processor time it took, for the processor time reporter.
 *
 * It is processor time rather than the clock's, because the same file takes several times as long on a busy machine and
 * the fast tier must not fail there. Every test file has a process of its own, so what that has used is what the file cost.
 */
import { afterAll } from 'vitest';
import { processorSeconds } from './processorSeconds.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** Seconds of processor time that the file's process and its finished children have used. */
    processorSeconds?: number;
  }
}

// Vitest reads from the text of the function which fixtures it wants, and takes nothing but braces for “none”.
// oxlint-disable-next-line no-empty-pattern
afterAll(({}, file) => {
  file.meta.processorSeconds = processorSeconds();
});
