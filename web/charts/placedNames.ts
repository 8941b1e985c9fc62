/** Where names of marks go on a chart so that none covers another or leaves the frame. */
export interface NamedMark {
  name: string;
  /** The mark's place in pixels from the upper left. */
  px: number;
  py: number;
}

export interface NamePlace {
  /** Pixels from the mark to the middle of its name. */
  dx: number;
  dy: number;
}

const lineHeight = 13;
/** Width of a character at a size of 11 pixels, on average. */
const characterWidth = 6.1;
const markRadius = 4;
/** Above and below by turns, further and further away. */
const steps = [-13, 15, -26, 28, -39, 41, -52, 54];

/** The first free place near each mark, in the order given, clear of `others` as well; the nearest one where all are taken. */
export function placedNames(
  marks: readonly NamedMark[],
  frame: { left: number; right: number; top: number; bottom: number },
  others: readonly Omit<NamedMark, 'name'>[] = [],
): NamePlace[] {
  const taken: { left: number; right: number; y: number }[] = [];
  return marks.map(({ name, px, py }) => {
    const half = (name.length * characterWidth) / 2;
    const middle = Math.min(Math.max(px, frame.left + half), Math.max(frame.left + half, frame.right - half));
    const [left, right] = [middle - half, middle + half];
    const isFree = (y: number) =>
      y - lineHeight / 2 >= frame.top &&
      y + lineHeight / 2 <= frame.bottom &&
      taken.every((each) => each.right < left || each.left > right || Math.abs(each.y - y) >= lineHeight) &&
      others.every(
        (mark) => mark.px < left || mark.px > right || Math.abs(mark.py - y) >= lineHeight / 2 + markRadius,
      );
    const dy = steps.find((step) => isFree(py + step)) ?? steps[0];
    taken.push({ left, right, y: py + dy });
    return { dx: middle - px, dy };
  });
}
