import { expect, test } from 'vitest';
import { flowDiagram } from './flowDiagram.ts';
import { testSize } from './testDocument.ts';

const data = {
  sources: [
    { name: 'latent 3', href: '/3', own: true },
    { name: 'latent 9 with a label that is far too long', href: '/9' },
  ],
  targets: [
    { name: 'latent 14', href: '/14' },
    { name: 'latent 15', href: '/15' },
  ],
  flows: [
    { from: 0, to: 0, mass: 0.6, note: '60 %' },
    { from: 0, to: 1, mass: 0.3, note: '30 %' },
    { from: 1, to: 1, mass: 0.1, note: '10 %' },
  ],
};
const draw = (width = 400) =>
  flowDiagram(data, { ...testSize(width, 200), label: 'where it goes', colour: 'var(--accent)' });

/** Top and thickness of a band at its two ends, from its outline. */
function ends(path: Element): { left: [number, number]; right: [number, number] } {
  const numbers = path
    .getAttribute('d')!
    .match(/-?[\d.]+/g)!
    .map(Number);
  const [, y0, , , , , , y1, low1, , , , , , low0] = numbers;
  return { left: [y0, low0 - y0], right: [y1, low1 - y1] };
}

test('bands are as thick as their mass, at both ends, and fill their nodes without overlap', () => {
  const picture = draw();
  const bands = [...picture.querySelectorAll('path')].map(ends);
  const rects = [...picture.querySelectorAll('rect')].map((rect) => ({
    y: Number(rect.getAttribute('y')),
    height: Number(rect.getAttribute('height')),
  }));
  const [first, , third] = bands.map(({ left }) => left[1]);
  expect(first / third).toBeCloseTo(6, 6);
  for (const { left, right } of bands) expect(left[1]).toBeCloseTo(right[1], 6);
  const [own, other, to14, to15] = rects;
  expect(own.height / other.height).toBeCloseTo(9, 6);
  expect(to14.height / to15.height).toBeCloseTo(1.5, 6);
  expect(bands[0].left[0]).toBeCloseTo(own.y, 6);
  expect(bands[1].left[0]).toBeCloseTo(own.y + bands[0].left[1], 6);
  expect(bands[2].right[0] + bands[2].right[1]).toBeCloseTo(to15.y + to15.height, 6);
  for (const { y, height } of rects) {
    expect(y).toBeGreaterThanOrEqual(0);
    expect(y + height).toBeLessThanOrEqual(200);
  }
});

test('says everything in words, links its ends, and cuts long names to the room there is', () => {
  const picture = draw(260);
  expect(picture.getAttribute('aria-description')).toContain(
    'latent 3 to latent 14: 60 %; latent 3 to latent 15',
  );
  expect([...picture.querySelectorAll('a')].map((a) => a.getAttribute('href'))).toEqual([
    '/3',
    '/9',
    '/14',
    '/15',
  ]);
  const [, long] = [...picture.querySelectorAll('text')];
  expect(long.firstChild?.textContent).toMatch(/…$/);
  expect(long.querySelector('title')?.textContent).toBe(data.sources[1].name);
});
