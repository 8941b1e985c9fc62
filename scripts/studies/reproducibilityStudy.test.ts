import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { expect, test } from 'vitest';
import { parseSweep } from '../../sae/training/sweep.ts';
import { parseReproducibilityStudy } from './reproducibilityStudy.ts';

const file = readFileSync(join(import.meta.dirname, 'smollm2-reproducibility.yaml'), 'utf8');

test('every sweep of the study of SmolLM2 can be trained, no run twice, and nowhere is an architecture alone', () => {
  const { sweeps, captures, seeds, settings } = parseReproducibilityStudy(file);
  const runs = sweeps.flatMap((sweep) => {
    const { hooks } = captures.find(({ name }) => name === sweep.capture)!;
    const given = Object.entries({ hooks, seeds, settings, ...sweep }).filter(([key]) => key !== 'worth');
    return parseSweep(stringify(Object.fromEntries(given)));
  });
  expect(new Set(runs.map(({ name }) => name)).size).toBe(runs.length);
  const places = new Map<string, string[]>();
  for (const { architecture, options } of runs) {
    const place = [options.capture, options.hook, options.width, options.tokens].join(' ');
    places.set(place, [...(places.get(place) ?? []), architecture].sort());
  }
  // Three depths with two widths, longer training, and another text.
  expect(places.size).toBe(3 * 2 + 1 + 1);
  for (const [place, architectures] of places)
    expect(architectures, place).toEqual(['jumprelu', 'relu', 'topk']);
});

test('a sweep of a capture that is not listed is refused', () => {
  expect(() => parseReproducibilityStudy(file.replace('capture: ', 'capture: other-'))).toThrow(
    /capture 'other-smollm2-moby-dick-15', which the study does not list/,
  );
});
