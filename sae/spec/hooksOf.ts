import type { TrainingConfig } from './architectures/architectures.ts';

/** The hook points whose activations a dictionary is about: one, or of a transcoder what it reads and what it predicts. */
export function hooksOf({ hook, outputHook }: Pick<TrainingConfig, 'hook' | 'outputHook'>): string[] {
  return outputHook === undefined ? [hook] : [hook, outputHook];
}
