import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { expect, test } from 'vitest';
import { parseSweep } from '../../sae/training/sweep.ts';
import { parseReproducibilityStudy } from './reproducibilityStudy.ts';

const file = readFileSync(join(import.meta.dirname, 'smollm2-reproducibility.yaml'), 'utf8');

test('every sweep of the study of SmolLM2 can be trained, five seeds a run, and no run twice', () => {
  const { sweeps, captures, seeds, settings } = parseReproducibilityStudy(file);
  expect(seeds).toHaveLength(5);
  const runs = sweeps.flatMap(({ worth: _, ...sweep }) => {
    const { hooks } = captures.find(({ name }) => name === sweep.capture)!;
    return parseSweep(stringify({ hooks, ...sweep, seeds, settings }));
  });
  expect(new Set(runs.map(({ name }) => name)).size).toBe(runs.length);
  expect(new Set(runs.slice(0, 3).map(({ architecture }) => architecture))).toEqual(
    new Set(['topk', 'relu', 'jumprelu']),
  );
});

test('a sweep of a capture that is not listed is refused', () => {
  expect(() =>
    parseReproducibilityStudy(
      file.replace('- name: smollm2\n    capture: ', '- name: smollm2\n    capture: other-'),
    ),
  ).toThrow(/capture 'other-smollm2-moby-dick-15', which the study does not list/);
});
