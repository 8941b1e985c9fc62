import type { TrainingConfig } from './architectures/architectures.ts';
import { hooksIn } from './jointHook.ts';

type Places = Pick<TrainingConfig, 'hook' | 'outputHook'>;

/**
 * The hook points whose activations a dictionary is about: one, of a transcoder what it reads and what it predicts, of a crosscoder all that it
 * reads.
 */
export function hooksOf({ hook, outputHook }: Places): string[] {
  return [...hooksIn(hook), ...(outputHook === undefined ? [] : [outputHook])];
}

/** The same in a few words. */
export function placeOf({ hook, outputHook }: Places): string {
  return [hooksIn(hook).join(' + '), ...(outputHook === undefined ? [] : [outputHook])].join(' → ');
}
