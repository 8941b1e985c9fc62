import { crc32, inflateSync } from 'node:zlib';
import type { Plot } from '@observablehq/plot';
import { describe, expect, test } from 'vitest';
import { activationHistogram } from './activationHistogram.ts';
import { densityHistogram, densityTick } from './densityHistogram.ts';
import { frequencyHistogram } from './frequencyHistogram.ts';
import { lineChart } from './lineChart.ts';
import { logTicks } from './logTicks.ts';
import { miniHistogram } from './miniHistogram.ts';
import { paretoPlot, runMeans, type ParetoPoint } from './paretoPlot.ts';
import { curveAt, sharedCurve, sharedCurveMargins } from './sharedCurve.ts';
import { stabilityHistogram } from './stabilityHistogram.ts';
import { scatterPlane, stabilityScatter } from './stabilityScatter.ts';
import { areasOf, linesOf, testSize, textsOf } from './testDocument.ts';
import { trainingCurve } from './trainingCurve.ts';
import { uniqueCurve } from './uniqueCurve.ts';

const point = (run: string, seed: number, l0: number, fvu: number): ParetoPoint => ({
  run,
  seed,
  architecture: run.startsWith('topk') ? 'topk' : 'relu',
  place: 'sea blocks.0.hook_resid_post',
  width: 4096,
  l0,
  fvu,
  ceRecovered: 0.95,
  href: `/runs/${run}/${seed}`,
});

describe('every chart', () => {
  test('is a picture with a name and its numbers in words, for those who can’t see it', () => {
    const picture = paretoPlot([point('topk', 0, 32, 0.2)], testSize());
    // A picture of links is a group, because screen readers skip what is inside an image.
    expect(picture.getAttribute('role')).toBe('group');
    expect(picture.getAttribute('aria-label')).toBe('FVU against L0, one mark a seed');
    expect(picture.getAttribute('aria-description')).toBe('TopK: L0 32, FVU 0.200');
  });

  test('has the size it was asked for', () => {
    const picture = paretoPlot([point('topk', 0, 32, 0.2)], testSize(612, 333));
    expect([picture.getAttribute('width'), picture.getAttribute('height')]).toEqual(['612', '333']);
  });

  test('takes its colours from the page, so that it changes with the theme', () => {
    const text = paretoPlot([point('topk', 0, 32, 0.2)], testSize()).outerHTML;
    expect(text).toContain('var(--topk)');
    expect(text).not.toMatch(/fill="#|stroke="#/);
  });
});

describe('paretoPlot', () => {
  const points = [
    point('topk-16', 0, 16, 0.3),
    point('topk-16', 1, 16, 0.32),
    point('topk-64', 0, 64, 0.15),
    point('relu', 0, 40, 0.35),
  ];

  test('joins runs of one hook point alone, since reconstructions of two are not of one thing', () => {
    const elsewhere = [16, 64].map((l0) => ({
      ...point(`topk-late-${l0}`, 0, l0, 0.5),
      place: 'sea blocks.7.hook_resid_post',
    }));
    const joined = (drawn: readonly ParetoPoint[]) => linesOf(paretoPlot(drawn, testSize())).length;
    expect(joined([...points, ...elsewhere])).toBe(joined(points) + 1);
  });

  test('draws a mark a seed that links to its dictionary, and a line an architecture', () => {
    const picture = paretoPlot(points, testSize());
    const links = [...picture.querySelectorAll('[aria-label="dot"] a')].map(
      (link) => link.getAttribute('href') ?? link.getAttribute('xlink:href'),
    );
    expect(links.toSorted()).toEqual([
      '/runs/relu/0',
      '/runs/topk-16/0',
      '/runs/topk-16/1',
      '/runs/topk-64/0',
    ]);
    expect(linesOf(picture)).toHaveLength(2);
  });

  test('places twice the L0 at equal steps: the axis is logarithmic', () => {
    const [first, second, third] = linesOf(
      paretoPlot(
        [point('topk-a', 0, 10, 0.3), point('topk-b', 0, 20, 0.3), point('topk-c', 0, 40, 0.3)],
        testSize(),
      ),
    )[0]!;
    expect(second![0] - first![0]).toBeCloseTo(third![0] - second![0], 3);
  });

  test('averages a run over its seeds', () => {
    const [sixteen] = runMeans(points);
    expect(sixteen).toMatchObject({ architecture: 'topk', l0: 16 });
    expect(sixteen?.fvu).toBeCloseTo(0.31);
  });

  test('a run that diverged stands at the top and leaves the others their places', () => {
    const diverged = point('topk-hot', 0, 20, 1e13);
    const heights = (picture: SVGSVGElement) =>
      [...picture.querySelectorAll('[aria-label="dot"] path')].map((mark) =>
        Number(/translate\([^,]+,([^)]+)\)/.exec(mark.getAttribute('transform') ?? '')?.[1]),
      );
    const sound = points.filter(({ architecture }) => architecture === 'topk');
    const drawn = heights(paretoPlot([...sound, diverged], testSize()));
    expect(drawn).toHaveLength(4);
    // The frame begins 26 pixels below the top.
    expect(Math.min(...drawn)).toBeCloseTo(26, 0);
    expect(new Set(drawn.map(Math.round)).size).toBe(4);
    expect(Math.max(...drawn) - Math.min(...drawn)).toBeGreaterThan(100);
  });

  test('a few runs are named; many would cover the marks', () => {
    const named = (count: number) =>
      paretoPlot(
        Array.from({ length: count }, (_, i) => point(`topk-${i}`, 0, 10 + i, 0.3)),
        testSize(),
      ).textContent ?? '';
    expect(named(3)).toContain('topk-2');
    expect(named(30)).not.toContain('topk-2');
    // Then each architecture is named once.
    expect(named(30).match(/TopK(?!:)/g)).toHaveLength(1);
  });

  test('draws a single dictionary, and none', () => {
    expect(
      paretoPlot([point('topk', 0, 32, 0.2)], testSize()).querySelectorAll('[aria-label="dot"] path'),
    ).toHaveLength(1);
    expect(() => paretoPlot([], testSize())).not.toThrow();
  });
});

describe('lineChart', () => {
  const line = (name: string, end: number) => ({ name, colour: 'var(--relu)', x: [0, 1], y: [1, end] });
  const options = {
    label: 'a chart',
    x: { label: 'x', format: String },
    y: { label: 'y', format: String, domain: [0, 2] as [number, number] },
    names: true,
  };
  const places = (picture: SVGSVGElement, names: readonly string[]) =>
    [...picture.querySelectorAll('text')]
      .filter((text) => names.includes(text.textContent ?? ''))
      .map((text) => {
        const [, y] = /translate\([^,]+,([^)]+)\)/.exec(text.getAttribute('transform') ?? '') ?? [];
        const [, group] =
          /translate\([^,]+,([^)]+)\)/.exec(text.parentElement?.getAttribute('transform') ?? '') ?? [];
        return Number(y ?? 0) + Number(group ?? 0);
      });

  test('names at the ends of lines that end together are apart, inside the frame', () => {
    const names = Array.from({ length: 8 }, (_, i) => `method ${i}`);
    const picture = lineChart(
      names.map((name, i) => line(name, 0.02 * i)),
      { ...testSize(640, 320), ...options },
    );
    const at = places(picture, names).toSorted((a, b) => a - b);
    expect(at).toHaveLength(8);
    at.slice(1).forEach((y, i) => expect(y - at[i]).toBeGreaterThanOrEqual(12.9));
    expect(at[0]).toBeGreaterThan(26);
    expect(at.at(-1)).toBeLessThanOrEqual(320 - 38 + 0.6);
  });

  test('on a narrow chart the legend names them', () => {
    const picture = lineChart([line('method', 1)], { ...testSize(340, 320), ...options });
    expect(places(picture, ['method'])).toEqual([]);
  });
});

describe('logTicks', () => {
  test.each([
    [1, 1e6, [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]],
    [8, 120, [10, 30, 100]],
    [18, 55, [20, 30, 40, 50]],
    [23, 34, [24, 26, 28, 30, 32, 34]],
    [0.19, 0.3, [0.2, 0.25, 0.3]],
  ])('%d to %d', (low, high, ticks) => expect(logTicks(low, high)).toEqual(ticks));

  test('gives a narrow domain at least three labels', () => {
    expect(logTicks(0.19, 0.3).length).toBeGreaterThanOrEqual(3);
  });

  test('has none for a domain that no log axis can have', () => {
    expect(logTicks(0, 10)).toEqual([]);
    expect(logTicks(Infinity, -Infinity)).toEqual([]);
  });
});

describe('trainingCurve', () => {
  const points = [0, 1, 2].flatMap((seed) =>
    [1, 2, 3, 4].map((step) => ({ seed, tokens: step * 1e6, value: 1 / step + seed / 100 })),
  );

  test('one seed is a line over the tokens', () => {
    const one = points.filter(({ seed }) => seed === 0);
    const picture = trainingCurve(one, { ...testSize(), architecture: 'topk', label: 'FVU' });
    expect(linesOf(picture).map((line) => line.length)).toEqual([4]);
    expect(areasOf(picture)).toEqual([]);
    expect(picture.getAttribute('aria-description')).toBe('seed 0: from 1 to 0.25 after 4M tokens');
  });

  test('several seeds, which would cover each other, are their mean in a band from the smallest to the largest', () => {
    const picture = trainingCurve(points, { ...testSize(), architecture: 'topk', label: 'FVU' });
    const scale = (picture as SVGSVGElement & Plot).scale('y');
    const [mean] = linesOf(picture);
    const [band] = areasOf(picture);
    const heights = (of: (step: number) => number) =>
      [1, 2, 3, 4].map((step) => expect.closeTo(Number(scale?.apply(of(step))), 2));
    expect(linesOf(picture)).toHaveLength(1);
    expect(mean!.map(([, y]) => y)).toEqual(heights((step) => 1 / step + 0.01));
    // Along one edge, and back along the other.
    const edges = [band!.slice(0, 4), band!.slice(4).reverse()].map((edge) => edge.map(([, y]) => y));
    expect(edges.toSorted((a, b) => a[0] - b[0])).toEqual([
      heights((step) => 1 / step + 0.02),
      heights((step) => 1 / step),
    ]);
    expect(picture.getAttribute('aria-description')).toContain('seed 2: from 1.02 to 0.27');
  });

  test('leaves out what a log axis can’t show, and NaN', () => {
    const odd = [...points, { seed: 0, tokens: 5e6, value: 0 }, { seed: 0, tokens: 6e6, value: Number.NaN }];
    const picture = trainingCurve(odd, { ...testSize(), architecture: 'relu', label: 'loss', log: true });
    expect(linesOf(picture)[0]).toHaveLength(4);
    expect(picture.outerHTML).not.toContain('NaN');
  });
});

describe('densityHistogram', () => {
  const edges = Array.from({ length: 29 }, (_, bin) => -7 + bin * 0.25);
  const counts = edges.slice(1).map((_, bin) => (bin === 16 ? 300 : bin === 17 ? 100 : 0));

  test('says where most latents are', () => {
    const picture = densityHistogram([{ seed: 3, edges, counts }], { ...testSize(), architecture: 'topk' });
    expect(picture.getAttribute('aria-description')).toBe(
      'seed 3: most latents (300) fire on 0.1 % to 0.18 % of tokens',
    );
  });

  test('draws nothing to the left of its axis', () => {
    const picture = densityHistogram([{ seed: 0, edges, counts }], { ...testSize(), architecture: 'topk' });
    for (const [x] of linesOf(picture).flat()) expect(x).toBeGreaterThanOrEqual(46);
  });

  test.each([
    [0, '100 %'],
    [-2, '1 %'],
    [-4, '0.01 %'],
    [-7, '10⁻⁷'],
  ])('a tick at 10^%d reads %s', (power, text) => expect(densityTick(power)).toBe(text));
});

describe('activationHistogram', () => {
  test('has a bar a bin with a token in it, and the total in words', () => {
    const picture = activationHistogram([10, 4, 0, 1], { ...testSize(), max: 8 });
    expect(picture.getAttribute('aria-description')).toBe(
      '15 tokens activate it, up to 8; half of them below 2.',
    );
    const heights = [...picture.querySelectorAll('[aria-label="rect"] rect')].map((bar) =>
      Number(bar.getAttribute('height')),
    );
    expect(heights.filter((height) => height > 0)).toHaveLength(3);
    // Square root: a quarter of the tokens is half of the height.
    expect(heights[1]! / heights[0]!).toBeCloseTo(Math.sqrt(0.4), 2);
  });
});

describe('miniHistogram', () => {
  test('is one bar a bin with something in it, at least three quarters of a pixel high', () => {
    const path = miniHistogram([10_000, 0, 1], 60, 16);
    expect(path.match(/M/g)).toHaveLength(2);
    expect(path).toContain('v-16');
    expect(path).toContain('v-0.75');
  });

  test('of nothing is nothing', () => {
    expect(miniHistogram([], 60, 16)).toBe('');
    expect(miniHistogram([0, 0], 60, 16)).toBe('');
  });
});

describe('sharedCurve', () => {
  const curve = Array.from({ length: 101 }, (_, step) => ({
    threshold: step / 100,
    shared: 1 - step / 100,
    decoder: 1,
    encoder: 1,
    greedy: 1,
    chance: step < 60 ? 0.5 : 0.04,
    chanceDeviation: 0.01,
    nearestChance: 0.6,
  }));

  test('keeps the margins that the threshold’s slider lies in', () => {
    const shared = linesOf(sharedCurve(curve, testSize(500))).at(-1)!;
    expect(shared[0]![0]).toBeCloseTo(sharedCurveMargins.left);
    expect(shared.at(-1)![0]).toBeCloseTo(500 - sharedCurveMargins.right);
  });

  test('reads the curve at the nearest step', () => {
    expect(curveAt(curve, 0.704)?.shared).toBeCloseTo(0.3);
    expect(curveAt([], 0.7)).toBeUndefined();
  });

  test('says what is shared at three thresholds', () => {
    expect(sharedCurve(curve, testSize()).getAttribute('aria-description')).toBe(
      '50.0 % shared at 0.5 (decoder rows 100.0 %, 50.0 % by chance), 30.0 % shared at 0.7 (decoder rows 100.0 %, 4.0 % by chance), 10.0 % shared at 0.9 (decoder rows 100.0 %, 4.0 % by chance)',
    );
  });
});

describe('stability', () => {
  test('the histogram names bars by the number of other seeds, and gives each its share', () => {
    const picture = stabilityHistogram(
      [
        { stability: 0, latents: 30 },
        { stability: 0.5, latents: 20 },
        { stability: 1, latents: 50 },
      ],
      { ...testSize(), otherSeeds: 2, colour: 'var(--topk)' },
    );
    expect(textsOf(picture, 'x-axis tick label')).toEqual(['0', '1', '2']);
    expect(textsOf(picture, 'text')).toEqual(['30 %', '20 %', '50 %']);
  });

  test('the scatter paints orphans and shared latents where its axes say, and leaves the dead out', () => {
    const points = {
      seed: Float32Array.of(0, 0, 0, 0),
      latent: Float32Array.of(1, 2, 3, 4),
      density: Float32Array.of(0.001, 0.1, 1, 0),
      stability: Float32Array.of(0, 1, 0.5, 0),
      maxActivation: Float32Array.of(1, 10, 100, 0),
    };
    const [orphan, shared, ground] = [0xff0000ff, 0xff00ff00, 0xffffffff];
    const size = testSize();
    const picture = stabilityScatter(points, { ...size, inks: { shared, ground, orphan } });
    expect(picture.getAttribute('aria-description')).toMatch(/^1 of 3 latents are shared with no other seed/);
    expect(textsOf(picture, 'x-axis tick label')).toHaveLength(4);

    const { cloud, colour } = scatterPlane(points, size);
    expect([...colour]).toEqual([0, 4, 2, -1]);
    // The frame of the axes: density 0.001 at its left, 1 at its right; strength 1 at its foot, 100 at its top.
    expect([...cloud.x].slice(0, 3)).toEqual([
      expect.closeTo(46, 3),
      expect.closeTo(46 + (size.width - 60) * (2 / 3), 3),
      size.width - 14,
    ]);
    expect([...cloud.y].slice(0, 3)).toEqual([
      38,
      expect.closeTo(38 + (size.height - 64) / 2, 3),
      size.height - 26,
    ]);

    const png = Buffer.from(picture.querySelector('image')!.getAttribute('href')!.split(',')[1], 'base64');
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([2 * size.width, 2 * size.height]);
    const length = png.readUInt32BE(33);
    const rows = inflateSync(png.subarray(41, 41 + length));
    const at = (x: number, y: number) => rows.readUInt32LE(2 * y * (8 * size.width + 1) + 1 + 8 * x);
    expect(at(46, size.height - 38)).toBe(orphan);
    expect(at(size.width - 14, 26)).not.toBe(0);
    expect(at(100, 40)).toBe(0);
    // Node's own checksum of what PNG protects.
    expect(png.readUInt32BE(41 + length)).toBe(crc32(png.subarray(37, 41 + length)));
  });

  test('the unique curve says how many of all latents are distinct', () => {
    const picture = uniqueCurve(
      [
        { seeds: 1, unique: 100, total: 100 },
        { seeds: 2, unique: 150, total: 200 },
      ],
      { ...testSize(), colour: 'var(--topk)' },
    );
    expect(picture.getAttribute('aria-description')).toBe(
      '1 seeds: 100 distinct of 100; 2 seeds: 150 distinct of 200',
    );
  });
});

describe('frequencyHistogram', () => {
  test('compares models of different size by shares, and says how lazy each is', () => {
    const lazy = [90, ...Array.from({ length: 48 }, () => 0), 10];
    const busy = [...Array.from({ length: 49 }, () => 0), 400];
    const picture = frequencyHistogram(
      [
        { name: 'ReLU', colour: 'var(--relu)', counts: lazy },
        { name: 'GELU', colour: 'var(--gelu)', counts: busy },
      ],
      testSize(),
    );
    expect(picture.getAttribute('aria-description')).toBe(
      'ReLU: 90.0 % of neurons fire on at most a tenth of the tokens; GELU: 0.0 % of neurons fire on at most a tenth of the tokens',
    );
  });
});

describe('lineChart', () => {
  test('drops points that a log axis can’t hold, and labels its powers of ten', () => {
    const picture = lineChart(
      [{ name: 'layer 0', colour: 'var(--relu)', x: [0, 0.01, 0.1, 1], y: [0, 0.1, 0.3, 1] }],
      {
        ...testSize(),
        label: 'CETT',
        x: { label: 'threshold', log: true, format: String },
        y: { label: 'CETT', format: String, domain: [0, 1] },
        level: { y: 0.2, caption: 'CETT 0.2' },
      },
    );
    expect(linesOf(picture)[0]).toHaveLength(3);
    expect(textsOf(picture, 'x-axis tick label')).toEqual(['0.01', '0.1', '1']);
    expect(textsOf(picture, 'text')).toEqual(['CETT 0.2']);
  });
});
