import { describe, expect, test } from 'vitest';
import { similarityBins, similarityHistogram } from './similarityHistogram.ts';
import { areasOf, linesOf, testSize } from './testDocument.ts';

/** Two humps: private features near 0.2, shared ones near 0.9. One latent has no counterpart. */
const cosines = Float32Array.from([0.21, 0.21, 0.21, 0.76, 0.91, 0.91, 0.91, 0.91, 0.93, 0.93, Number.NaN]);
const bins = similarityBins({ decoder: cosines, encoder: cosines, nearest: cosines });
const picture = similarityHistogram(bins, { ...testSize(), threshold: 0.7 });

/** Pixels of a cosine and of a number of latents, from two labelled ticks of each axis. */
function scales(): { x: (cosine: number) => number; y: (latents: number) => number } {
  const ticks = (axis: 'x' | 'y') =>
    [...picture.querySelectorAll(`[aria-label="${axis}-axis tick label"] text`)].map((text) => {
      const [x, y] = [...(text.getAttribute('transform') ?? '').matchAll(/-?[\d.]+/g)].map(Number);
      return {
        value: Number((text.textContent ?? '').replace('−', '-')),
        at: axis === 'x' ? x! : y!,
      };
    });
  const scale = (axis: 'x' | 'y') => {
    const [first, ...others] = ticks(axis);
    const last = others.at(-1)!;
    const slope = (last.at - first!.at) / (last.value - first!.value);
    return (value: number) => first!.at + slope * (value - first!.value);
  };
  return { x: scale('x'), y: scale('y') };
}

describe('similarityHistogram', () => {
  test('counts a latent once, in the bin of its cosine, and one without a counterpart in none', () => {
    expect(bins.decoder.reduce((sum, latents) => sum + latents)).toBe(10);
    expect(bins.decoder.flatMap((latents, bin) => (latents ? [[bin, latents]] : []))).toEqual([
      [48, 3],
      [70, 1],
      [76, 4],
      [77, 2],
    ]);
  });

  test('shades what lies under the outline from the threshold on, no higher and no lower', () => {
    const { x, y } = scales();
    const [area] = areasOf(picture);
    const edges = Array.from({ length: 12 }, (_, i) => 0.7 + i * 0.025);
    const latentsAt = (edge: number) => bins.decoder[Math.round(((edge + 1) / 2) * 80)]!;
    const above = edges.flatMap((edge) => [
      [x(edge), y(latentsAt(edge))],
      [x(edge + 0.025), y(latentsAt(edge))],
    ]);
    const below = above.map(([at]) => [at!, y(0)]).toReversed();
    expect(area).toHaveLength(above.length + below.length);
    [...above, ...below].forEach(([left, top], i) => {
      expect(area![i]![0]).toBeCloseTo(left!, 1);
      expect(area![i]![1]).toBeCloseTo(top!, 1);
    });
  });

  test('the shading follows the line of the matched decoder rows', () => {
    const decoder = linesOf(picture).at(-1)!.map(String);
    const [area] = areasOf(picture);
    for (const point of area!.slice(0, area!.length / 2)) expect(decoder).toContain(String(point));
  });

  test('shades nothing when no bin reaches the threshold', () => {
    expect(areasOf(similarityHistogram(bins, { ...testSize(), threshold: 1 }))).toEqual([]);
  });
});
