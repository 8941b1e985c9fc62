/**
 * Draws hundreds of thousands of points into the pixels of a canvas, by loops over typed arrays and without an element for each point.
 * The functions are pure; DictionaryMap.tsx handles the canvas, the pointer and the page's colours.
 */
export interface PointCloud {
  readonly x: Float32Array;
  readonly y: Float32Array;
}

/** The visible part of the plane: its centre, and the number of pixels per unit. */
export interface PlaneView {
  x: number;
  y: number;
  scale: number;
}

export interface Picture {
  /** [height, width]: the pixels, each as one number with RGBA in the canvas's byte order. */
  readonly pixels: Uint32Array;
  readonly width: number;
  readonly height: number;
}

/** The view in which all points are seen with a margin. */
export function wholeView(
  { x, y }: PointCloud,
  { width, height }: Pick<Picture, 'width' | 'height'>,
): PlaneView {
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < x.length; i++) {
    left = Math.min(left, x[i]);
    right = Math.max(right, x[i]);
    bottom = Math.min(bottom, y[i]);
    top = Math.max(top, y[i]);
  }
  const span = (least: number, most: number) => Math.max(most - least, 1e-6);
  return {
    x: (left + right) / 2,
    y: (bottom + top) / 2,
    scale: 0.94 * Math.min(width / span(left, right), height / span(bottom, top)),
  };
}

/** The view after zooming by `factor`, with the point at pixel (px, py) staying in place. */
export function zoomed(
  view: PlaneView,
  factor: number,
  { px, py, width, height }: { px: number; py: number; width: number; height: number },
): PlaneView {
  const scale = view.scale * factor;
  const [dx, dy] = [px - width / 2, height / 2 - py];
  return {
    x: view.x + dx / view.scale - dx / scale,
    y: view.y + dy / view.scale - dy / scale,
    scale,
  };
}

export interface Marks {
  /** Index into `palette` of each point; −1 leaves it out. */
  readonly colour: Int8Array;
  /** Colours as numbers with RGBA in the canvas's byte order. */
  readonly palette: readonly number[];
  /** Symbol of each point: 0 is a square, 1 a cross, so that the two dictionaries can be distinguished without colour. */
  readonly shape: Uint8Array;
  /** Half the size of a mark, in pixels. */
  readonly reach: number;
}

/** Draws the points over the pixels that are there, later colours of the palette on top. Returns how many points are visible. */
export function paintPoints(
  { pixels, width, height }: Picture,
  { x, y }: PointCloud,
  view: PlaneView,
  { colour, palette, shape, reach }: Marks,
): number {
  pixels.fill(0);
  let seen = 0;
  for (let layer = 0; layer < palette.length; layer++) {
    const ink = palette[layer];
    for (let i = 0; i < x.length; i++) {
      if (colour[i] !== layer) continue;
      const px = Math.round(width / 2 + (x[i] - view.x) * view.scale);
      const py = Math.round(height / 2 - (y[i] - view.y) * view.scale);
      if (px < -reach || py < -reach || px >= width + reach || py >= height + reach) continue;
      seen++;
      for (let dy = -reach; dy <= reach; dy++) {
        const row = py + dy;
        if (row < 0 || row >= height) continue;
        for (let dx = -reach; dx <= reach; dx++) {
          if (shape[i] === 1 && dx !== dy && dx !== -dy) continue;
          const column = px + dx;
          if (column >= 0 && column < width) pixels[row * width + column] = ink;
        }
      }
    }
  }
  return seen;
}

/** The point nearest to a pixel, if one lies within `within` pixels; −1 otherwise. */
export function pointAt(
  { x, y }: PointCloud,
  view: PlaneView,
  at: { px: number; py: number; width: number; height: number; within: number },
  colour: Int8Array,
): number {
  const wantedX = view.x + (at.px - at.width / 2) / view.scale;
  const wantedY = view.y + (at.height / 2 - at.py) / view.scale;
  let best = -1;
  let least = (at.within / view.scale) ** 2;
  for (let i = 0; i < x.length; i++) {
    const square = (x[i] - wantedX) ** 2 + (y[i] - wantedY) ** 2;
    if (square > least || colour[i] < 0) continue;
    least = square;
    best = i;
  }
  return best;
}

/**
 * The nearest point that lies in a direction from another: within 45° of it, with y measured upwards; −1
 * where there is none.
 */
export function pointTowards(
  { x, y }: PointCloud,
  from: number,
  direction: { dx: number; dy: number },
  colour: Int8Array,
): number {
  let best = -1;
  let least = Infinity;
  for (let i = 0; i < x.length; i++) {
    if (i === from || colour[i] < 0) continue;
    const [dx, dy] = [x[i] - x[from], y[i] - y[from]];
    const along = dx * direction.dx + dy * direction.dy;
    const across = Math.abs(dx * direction.dy - dy * direction.dx);
    if (along <= 0 || across > along) continue;
    const square = dx * dx + dy * dy;
    if (square < least) {
      least = square;
      best = i;
    }
  }
  return best;
}

/** The points inside a closed outline, whose corners are pixels: those for which a ray crosses it an odd number of times. */
export function pointsWithin(
  { x, y }: PointCloud,
  view: PlaneView,
  {
    outline,
    width,
    height,
  }: { outline: readonly (readonly [number, number])[]; width: number; height: number },
  colour: Int8Array,
): number[] {
  const corners = outline.map(([px, py]) => [
    view.x + (px - width / 2) / view.scale,
    view.y + (height / 2 - py) / view.scale,
  ]);
  const inside: number[] = [];
  for (let i = 0; i < x.length; i++) {
    if (colour[i] < 0) continue;
    let odd = false;
    for (let a = 0, b = corners.length - 1; a < corners.length; b = a++) {
      const [[ax, ay], [bx, by]] = [corners[a], corners[b]];
      if (ay > y[i] !== by > y[i] && x[i] < ((bx - ax) * (y[i] - ay)) / (by - ay) + ax) odd = !odd;
    }
    if (odd) inside.push(i);
  }
  return inside;
}

/** `#rrggbb`, `#rgb`, or `rgb(r g b)` in either notation, as one number of the canvas (little-endian RGBA). */
export function inkOf(css: string): number {
  const [, hex] = /^#([0-9a-f]{6})$/i.exec(css.trim()) ?? [];
  const [, ...short] = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(css.trim()) ?? [];
  const channels = hex ? [0, 2, 4].map((at) => hex.slice(at, at + 2)) : short.map((digit) => digit + digit);
  const parts = channels.length
    ? channels.map((digits) => parseInt(digits, 16))
    : (css.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);
  const [r = 0, g = 0, b = 0] = parts;
  return ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
}

/** Interpolates between two colours; 0 is the first. */
export function blended(from: number, to: number, share: number): number {
  const channel = (shift: number) => {
    const [a, b] = [(from >>> shift) & 255, (to >>> shift) & 255];
    return Math.round(a + (b - a) * share) << shift;
  };
  return ((255 << 24) | channel(16) | channel(8) | channel(0)) >>> 0;
}
