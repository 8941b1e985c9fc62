/**
 * What charts draw stands where their data are: no mark is above the largest value or below the smallest, one
 * reaches each of them, and nothing leaves the frame. A stacked area once rose to twice the line that it belonged to.
 */
import type { Plot } from '@observablehq/plot';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { activationHistogram } from './activationHistogram.ts';
import { densityHistogram } from './densityHistogram.ts';
import { frequencyHistogram } from './frequencyHistogram.ts';
import { lineChart } from './lineChart.ts';
import { miniHistogram } from './miniHistogram.ts';
import { paretoPlot } from './paretoPlot.ts';
import { sharedCurve } from './sharedCurve.ts';
import { chanceBins, similarityBins, similarityHistogram } from './similarityHistogram.ts';
import { stabilityHistogram } from './stabilityHistogram.ts';
import { testSize } from './testDocument.ts';
import { trainingCurve } from './trainingCurve.ts';
import { uniqueCurve } from './uniqueCurve.ts';

const frame = { top: 26, bottom: 240 - 38 } as const;
const colour = 'var(--topk)';

const curve = Array.from({ length: 101 }, (_, step) => ({
  threshold: step / 100,
  shared: 0.6 * (1 - step / 100),
  decoder: 0.8 * (1 - step / 100),
  encoder: 0.7 * (1 - step / 100),
  greedy: 0.75 * (1 - step / 100),
  chance: Math.max(0, 0.5 - step / 100),
  chanceDeviation: 0.02,
  nearestChance: Math.max(0, 0.9 - step / 100),
}));
const cosines = Float32Array.from({ length: 400 }, (_, i) => (i < 145 ? 0.81 : (i % 90) / 100));
const bins = similarityBins({ decoder: cosines, encoder: cosines, nearest: cosines });
const edges = Array.from({ length: 29 }, (_, bin) => -7 + bin * 0.25);

interface Case {
  picture: SVGSVGElement;
  /** Smallest and largest value that is drawn on y. */
  from: number;
  to: number;
}

const cases: Record<string, Case> = {
  activationHistogram: {
    picture: activationHistogram([90, 40, 7, 1], { ...testSize(), max: 8 }),
    from: 0,
    to: 90,
  },
  densityHistogram: {
    picture: densityHistogram(
      [{ seed: 0, edges, counts: edges.slice(1).map((_, bin) => (bin === 16 ? 300 : bin % 7)) }],
      { ...testSize(), architecture: 'topk' },
    ),
    from: 0,
    to: 300,
  },
  'densityHistogram of several seeds': {
    picture: densityHistogram(
      [0, 1, 2].map((seed) => ({
        seed,
        edges,
        counts: edges.slice(1).map((_, bin) => (bin % 9) * 10 + seed),
      })),
      { ...testSize(), architecture: 'topk' },
    ),
    from: 0,
    to: 82,
  },
  frequencyHistogram: {
    picture: frequencyHistogram(
      [
        { name: 'ReLU', colour, counts: [90, 5, 0, 5] },
        { name: 'GELU', colour, counts: [0, 0, 20, 60] },
      ],
      testSize(),
    ),
    from: 0,
    to: 0.9,
  },
  lineChart: {
    picture: lineChart(
      [
        { name: 'one', colour, x: [0, 1, 2], y: [0.1, 0.45, 0.2] },
        { name: 'other', colour, x: [0, 1, 2], y: [0, 0.3, 0.6] },
      ],
      {
        ...testSize(),
        label: 'lines',
        x: { label: 'x', format: String },
        y: { label: 'y', format: String },
        dots: true,
      },
    ),
    from: 0,
    to: 0.6,
  },
  paretoPlot: {
    picture: paretoPlot(
      [
        [16, 0.3],
        [40, 0.12],
        [64, 0.2],
      ].map(([l0, fvu], seed) => ({
        run: `topk-${l0}`,
        seed,
        architecture: 'topk',
        place: 'sea blocks.0.hook_resid_post',
        width: 1024,
        l0: l0!,
        fvu: fvu!,
        ceRecovered: 0.9,
        href: '/',
      })),
      testSize(),
    ),
    from: 0.12,
    to: 0.3,
  },
  sharedCurve: { picture: sharedCurve(curve, testSize()), from: 0, to: 0.8 },
  similarityHistogram: {
    picture: similarityHistogram(bins, { ...testSize(), threshold: 0.5, chance: chanceBins(curve, 400) }),
    from: 0,
    to: Math.max(...bins.decoder),
  },
  stabilityHistogram: {
    picture: stabilityHistogram(
      [
        { stability: 0, latents: 300 },
        { stability: 0.5, latents: 20 },
        { stability: 1, latents: 50 },
      ],
      { ...testSize(), otherSeeds: 2, colour },
    ),
    from: 0,
    to: 300,
  },
  trainingCurve: {
    picture: trainingCurve(
      [0, 1].flatMap((seed) => [1, 2, 4].map((tokens) => ({ seed, tokens, value: 1 / tokens + seed }))),
      { ...testSize(), architecture: 'topk', label: 'loss' },
    ),
    from: 0,
    to: 2,
  },
  'trainingCurve of one seed': {
    picture: trainingCurve(
      [1, 2, 4].map((tokens) => ({ seed: 3, tokens, value: 1 / tokens })),
      { ...testSize(), architecture: 'topk', label: 'FVU' },
    ),
    from: 0,
    to: 1,
  },
  uniqueCurve: {
    picture: uniqueCurve(
      [
        { seeds: 1, unique: 100, total: 100 },
        { seeds: 2, unique: 150, total: 200 },
      ],
      { ...testSize(), colour },
    ),
    from: 0,
    to: 200,
  },
};

/** The heights, in pixels from the top, of all that the marks draw: corners of paths and boxes, ends of rules, centres of dots. */
function heightsOf(picture: SVGSVGElement): number[] {
  const heights: number[] = [];
  for (const mark of ['line', 'area', 'rect', 'bar', 'rule', 'dot'])
    for (const group of picture.querySelectorAll(`[aria-label="${mark}"]`)) {
      const [, own] =
        /translate\(([-\d.]+),([-\d.]+)\)/.exec(group.getAttribute('transform') ?? '')?.slice(1) ?? [];
      const put = (y: number) => heights.push(y + Number(own ?? 0));
      const number = (element: Element, name: string) => Number(element.getAttribute(name));
      for (const box of group.querySelectorAll('rect')) {
        put(number(box, 'y'));
        put(number(box, 'y') + number(box, 'height'));
      }
      for (const dot of group.querySelectorAll('circle')) put(number(dot, 'cy'));
      for (const line of group.querySelectorAll('line')) {
        // An upright rule, such as the reader's threshold, spans the frame and belongs to no value.
        if (number(line, 'x1') === number(line, 'x2')) continue;
        put(number(line, 'y1'));
        put(number(line, 'y2'));
      }
      for (const path of group.querySelectorAll('path')) {
        const at = /translate\([-\d.]+,([-\d.]+)\)/.exec(path.getAttribute('transform') ?? '');
        if (at) put(Number(at[1]));
        else
          for (const [, , y] of (path.getAttribute('d') ?? '').matchAll(/[ML]([-\d.e]+),([-\d.e]+)/g))
            put(Number(y));
      }
    }
  return heights;
}

describe('what is drawn lies between the smallest and the largest value', () => {
  test.each(Object.entries(cases))('%s', (_, { picture, from, to }) => {
    const scale = (picture as SVGSVGElement & Plot).scale('y');
    const height = (value: number) => Number(scale?.apply(value));
    const drawn = heightsOf(picture);
    const [highest, lowest] = [Math.min(...drawn), Math.max(...drawn)];
    expect(highest).toBeCloseTo(height(to), 0);
    expect(lowest).toBeLessThanOrEqual(frame.bottom + 0.5);
    expect(lowest).toBeGreaterThanOrEqual(height(from) - 0.5);
    expect(height(to)).toBeGreaterThanOrEqual(frame.top - 0.5);
  });

  test('miniHistogram', () => {
    const heights = [...miniHistogram([3, 10, 7], 60, 16).matchAll(/v-([\d.]+)/g)].map(([, h]) => Number(h));
    expect(Math.max(...heights)).toBe(16);
  });
});

test('every chart is here', async () => {
  const files = (await readdir(import.meta.dirname)).filter((file) => /^\w+\.ts$/.test(file));
  const charts = [];
  for (const file of files)
    if (
      /^import .*\bchart\b.* from '\.\/chartFrame\.ts'/m.test(
        await readFile(join(import.meta.dirname, file), 'utf8'),
      )
    )
      charts.push(file.replace('.ts', ''));
  expect(charts.length).toBeGreaterThan(8);
  // The scatter plot is an image of points, whose pixels charts.test.ts looks at.
  const looked = new Set([...Object.keys(cases).map((name) => name.split(' ')[0]), 'stabilityScatter']);
  expect(charts.filter((name) => !looked.has(name))).toEqual([]);
});

describe('chance in the histogram', () => {
  test('holds as many latents as the curve of chance says reach a cosine of 0', () => {
    const counts = chanceBins(curve, 400);
    expect(counts.reduce((sum, latents) => sum + latents)).toBeCloseTo(200, 6);
    expect(counts.slice(0, 40).every((latents) => latents === 0)).toBe(true);
    // From 0 to 0.5 the curve falls evenly: 20 bins of ten latents each.
    for (const latents of counts.slice(40, 60)) expect(latents).toBeCloseTo(10, 6);
  });

  test('is not drawn where it was not measured', () => {
    const unknown = curve.map((point) => ({ ...point, chance: null, nearestChance: null }));
    expect(chanceBins(unknown, 400)).toEqual([]);
    const heights = (picture: SVGSVGElement) => heightsOf(picture).length;
    expect(heights(sharedCurve(unknown, testSize()))).toBeLessThan(heights(cases.sharedCurve.picture));
  });
});
