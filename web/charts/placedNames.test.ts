import { expect, test } from 'vitest';
import { placedNames, type NamedMark } from './placedNames.ts';

const frame = { left: 46, right: 386, top: 26, bottom: 202 };
const box = ({ name, px, py }: NamedMark, { dx, dy }: { dx: number; dy: number }) => ({
  left: px + dx - name.length * 3,
  right: px + dx + name.length * 3,
  y: py + dy,
});

test('a lone name stands above its mark', () => {
  expect(placedNames([{ name: 'topk', px: 200, py: 100 }], frame)).toEqual([{ dx: 0, dy: -13 }]);
});

test('names of marks in one blob don’t cover each other', () => {
  const marks = ['demo-topk', 'demo-jumprelu', 'demo-batchtopk', 'demo-gated'].map((name, i) => ({
    name,
    px: 200 + 4 * i,
    py: 100 + 2 * i,
  }));
  const boxes = placedNames(marks, frame).map((place, i) => box(marks[i], place));
  for (const [i, a] of boxes.entries())
    for (const b of boxes.slice(i + 1))
      expect(a.right < b.left || b.right < a.left || Math.abs(a.y - b.y) >= 12).toBe(true);
});

test('a name gives way to marks that have none', () => {
  const [{ dy }] = placedNames([{ name: 'topk', px: 200, py: 100 }], frame, [{ px: 195, py: 88 }]);
  expect(dy).toBe(15);
});

test('names at the edges stay inside the frame', () => {
  const marks = [
    { name: 'a-long-name-of-a-run', px: 380, py: 30 },
    { name: 'a-long-name-of-a-run', px: 50, py: 198 },
  ];
  for (const [i, place] of placedNames(marks, frame).entries()) {
    const { left, right, y } = box(marks[i], place);
    expect(left).toBeGreaterThanOrEqual(frame.left);
    expect(right).toBeLessThanOrEqual(frame.right + 1);
    expect(y).toBeGreaterThan(frame.top);
    expect(y).toBeLessThan(frame.bottom);
  }
});
