import type { TrainingConfig } from '../../sae/spec/architectures/architectures.ts';

/** What an earlier run of this name was trained with where today's settings differ: `k 32 instead of 8`. */
export function settingDifferences(before: TrainingConfig, now: TrainingConfig): string[] {
  const [old, today] = [before, now].map((config) => new Map<string, unknown>(Object.entries(config)));
  return [...new Set([...old.keys(), ...today.keys()])]
    .map((name) => ({ name, was: shown(old.get(name)), is: shown(today.get(name)) }))
    .filter(({ was, is }) => was !== is)
    .map(({ name, was, is }) => `${name} ${was} instead of ${is}`);
}

const shown = (value: unknown) => (value === undefined || value === null ? 'none' : JSON.stringify(value));
