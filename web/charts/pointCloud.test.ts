import { describe, expect, test } from 'vitest';
import {
  blended,
  inkOf,
  paintPoints,
  pointAt,
  pointTowards,
  pointsWithin,
  wholeView,
  zoomed,
  type Marks,
} from './pointCloud.ts';

const size = { width: 40, height: 30 };
const picture = () => ({ pixels: new Uint32Array(40 * 30), ...size });
const cloud = { x: Float32Array.of(0, 4, 0), y: Float32Array.of(0, 0, 2) };
const marks: Marks = {
  colour: Int8Array.of(0, 1, -1),
  palette: [0xff0000ff, 0xff00ff00],
  shape: Uint8Array.of(0, 1, 0),
  reach: 1,
};

describe('points on a canvas', () => {
  const view = { x: 2, y: 1, scale: 5 };

  test('are painted where they lie, up is up, each in its shape; those left out are not', () => {
    const painted = picture();
    expect(paintPoints(painted, cloud, view, marks)).toBe(2);
    const ink = (px: number, py: number) => painted.pixels[py * 40 + px];
    // (0, 0) is 2 left of and 1 below the centre: pixel (20 − 10, 15 + 5), a full square.
    expect([ink(10, 20), ink(11, 20), ink(9, 19), ink(12, 20)]).toEqual([
      0xff0000ff, 0xff0000ff, 0xff0000ff, 0,
    ]);
    // (4, 0) is a cross: corners, not sides.
    expect([ink(30, 20), ink(31, 21), ink(31, 20)]).toEqual([0xff00ff00, 0xff00ff00, 0]);
    expect(ink(10, 10)).toBe(0);
    expect(painted.pixels.filter((pixel) => pixel > 0)).toHaveLength(9 + 5);
  });

  test('beyond the edge are not wrapped around it', () => {
    const painted = picture();
    expect(paintPoints(painted, cloud, { x: 100, y: 0, scale: 5 }, marks)).toBe(0);
    expect(painted.pixels.some((pixel) => pixel > 0)).toBe(false);
  });

  test('a hundred thousand take milliseconds', () => {
    const n = 131_072;
    const many = {
      x: Float32Array.from({ length: n }, (_, i) => Math.sin(i) * i),
      y: Float32Array.from({ length: n }, (_, i) => Math.cos(i) * i),
    };
    const large = { pixels: new Uint32Array(1200 * 800), width: 1200, height: 800 };
    const each = {
      colour: Int8Array.from(many.x, (_, i) => i % 5),
      palette: [1, 2, 3, 4, 5],
      shape: new Uint8Array(n),
      reach: 1,
    };
    const view = wholeView(many, large);
    paintPoints(large, many, view, each);
    const frames = Array.from({ length: 10 }, () => {
      const started = performance.now();
      paintPoints(large, many, view, each);
      return performance.now() - started;
    });
    // The quickest, as others use the machine too. A frame at 60 Hz is 16 ms; ten times that is for slow ones.
    expect(Math.min(...frames)).toBeLessThan(160);
  });
});

test('the whole view holds every point; zooming holds the pixel it is asked to', () => {
  const view = wholeView(cloud, size);
  for (let i = 0; i < 3; i++) {
    expect(Math.abs(cloud.x[i] - view.x) * view.scale).toBeLessThan(20);
    expect(Math.abs(cloud.y[i] - view.y) * view.scale).toBeLessThan(15);
  }
  const at = { px: 33, py: 4, ...size };
  const before = [view.x + 13 / view.scale, view.y + 11 / view.scale];
  const near = zoomed(view, 3, at);
  expect(near.scale).toBeCloseTo(3 * view.scale, 9);
  expect(near.x + 13 / near.scale).toBeCloseTo(before[0], 9);
  expect(near.y + 11 / near.scale).toBeCloseTo(before[1], 9);
});

test('the point under the pointer is the nearest within reach, of those that are shown', () => {
  const view = { x: 2, y: 1, scale: 5 };
  const at = (px: number, py: number) => pointAt(cloud, view, { px, py, ...size, within: 6 }, marks.colour);
  expect(at(11, 21)).toBe(0);
  expect(at(29, 19)).toBe(1);
  expect(at(20, 3)).toBe(-1);
  expect(at(10, 10)).toBe(-1);
});

test('colours of the page become inks', () => {
  expect(inkOf('#fff')).toBe(0xffffffff);
  expect(inkOf('#17a')).toBe(0xffaa7711);
  expect(inkOf('#1767a8')).toBe(0xffa86717);
  expect(inkOf('rgb(23, 103, 168)')).toBe(0xffa86717);
  expect(blended(0xff000000, 0xffffffff, 0)).toBe(0xff000000);
  expect(blended(0xff000000, 0xffffffff, 1)).toBe(0xffffffff);
  expect(blended(0xff000000, 0xff0000ff, 0.5)).toBe(0xff000080);
});

describe('points are reached', () => {
  const plane = { x: Float32Array.of(0, 4, 9, 3, 0, -2), y: Float32Array.of(0, 1, 0, 7, 2, -9) };
  const all = new Int8Array(6);

  test('in a direction: the nearest within 45° of it', () => {
    const towards = (dx: number, dy: number, colour = all) => pointTowards(plane, 0, { dx, dy }, colour);
    expect([towards(1, 0), towards(0, 1), towards(0, -1), towards(-1, 0)]).toEqual([1, 4, 5, -1]);
    expect(towards(1, 0, Int8Array.of(0, -1, 0, 0, 0, 0))).toBe(2);
  });

  test('by an outline around them, also one with a bay', () => {
    const view = { x: 0, y: 0, scale: 1 };
    const at = (corners: [number, number][]) =>
      // Corners in the plane, as pixels of a picture whose middle is its origin.
      corners.map(([x, y]): [number, number] => [50 + x, 50 - y]);
    const within = (corners: [number, number][], colour = all) =>
      pointsWithin(plane, view, { outline: at(corners), width: 100, height: 100 }, colour);
    const square: [number, number][] = [
      [-1, -1],
      [5, -1],
      [5, 5],
      [-1, 5],
    ];
    expect(within(square)).toEqual([0, 1, 4]);
    // The bay reaches from the right to beyond the point at (4, 1).
    expect(
      within([...square.slice(0, 2), [2, 0.5], [2, 1.5], ...square.slice(2)] as [number, number][]),
    ).toEqual([0, 4]);
    expect(within(square, Int8Array.of(-1, 0, 0, 0, 0, 0))).toEqual([1, 4]);
    expect(within([])).toEqual([]);
  });
});
