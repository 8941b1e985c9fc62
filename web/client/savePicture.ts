/**
 * Saves a chart as a file that explains itself: with its title, its legend, and what it is a chart of. Colours and fonts that the chart
 * takes from the page's style sheet are written into it, as plain `rgb()`, which every editor can read.
 */
import { saveFile } from './saveFile.ts';

export interface PictureWords {
  title: string;
  /** What the data are of: run, model, hook point. */
  subject: string;
  legend: readonly { name: string; mark: SVGSVGElement | null }[];
}

const svg = 'http://www.w3.org/2000/svg';
/** The narrowest file, so that the title of a small chart has room. */
const leastWidth = 440;
const margin = 14;
/** Pixels of the PNG for each pixel of the page. */
const sharpness = 2;

export function saveSvg(picture: SVGSVGElement, words: PictureWords, name: string): void {
  const text = new XMLSerializer().serializeToString(wholePicture(picture, words));
  saveFile(new Blob([text], { type: 'image/svg+xml' }), name, 'svg');
}

/** Throws when the browser can't draw the picture. */
export async function savePng(picture: SVGSVGElement, words: PictureWords, name: string): Promise<void> {
  const whole = wholePicture(picture, words);
  const [width, height] = ['width', 'height'].map((side) => Number(whole.getAttribute(side)) * sharpness);
  const image = new Image(width, height);
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(whole))}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d')?.drawImage(image, 0, 0, width, height);
  const file = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!file) throw new Error('The browser could not draw the picture.');
  saveFile(file, name, 'png');
}

/** The chart under its title, subject and legend, without anything that it takes from the page. */
export function wholePicture(picture: SVGSVGElement, words: PictureWords): SVGSVGElement {
  const page = getComputedStyle(document.documentElement);
  const ink = (name: string) => plainColour(page.getPropertyValue(name).trim());
  const font = getComputedStyle(document.body).fontFamily;
  const [chartWidth, chartHeight] = [lengthOf(picture, 'width'), lengthOf(picture, 'height')];
  const width = Math.max(leastWidth, chartWidth + 2 * margin);
  const whole = document.createElementNS(svg, 'svg');
  const text = (content: string, x: number, y: number, size: number, more: Record<string, string>) => {
    const element = document.createElementNS(svg, 'text');
    const attributes = {
      x: String(x),
      y: String(y),
      'font-size': String(size),
      'font-family': font,
      ...more,
    };
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = content;
    whole.append(element);
  };
  let y = margin;
  for (const line of wrapped(words.title, (width - 2 * margin) / 8)) {
    y += 18;
    text(line, margin, y, 15, { 'font-weight': '600', fill: ink('--ink') });
  }
  for (const line of wrapped(words.subject, (width - 2 * margin) / 6.4)) {
    y += 16;
    text(line, margin, y, 12, { fill: ink('--ink-2') });
  }
  let x = margin;
  if (words.legend.length > 0) y += 22;
  for (const { name, mark } of words.legend) {
    const long = 30 + 6.6 * name.length;
    if (x > margin && x + long > width - margin) {
      x = margin;
      y += 18;
    }
    if (mark) {
      const copy = inlined(mark);
      for (const [attribute, value] of Object.entries({ x, y: y - 11, width: 16, height: 14 }))
        copy.setAttribute(attribute, String(value));
      whole.append(copy);
    }
    text(name, x + 21, y, 12, { fill: ink('--ink-2') });
    x += long;
  }
  const chart = inlined(picture);
  for (const [attribute, value] of Object.entries({
    x: margin,
    y: y + 8,
    width: chartWidth,
    height: chartHeight,
  }))
    chart.setAttribute(attribute, String(value));
  whole.append(chart);
  const height = Math.ceil(y + 8 + chartHeight + margin);
  const ground = document.createElementNS(svg, 'rect');
  for (const [attribute, value] of Object.entries({ width, height, fill: ink('--surface') }))
    ground.setAttribute(attribute, String(value));
  whole.prepend(ground);
  for (const [attribute, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` }))
    whole.setAttribute(attribute, String(value));
  whole.setAttribute('role', 'img');
  whole.setAttribute('aria-label', [words.title, words.subject].filter(Boolean).join(': '));
  return whole;
}

function lengthOf(picture: SVGSVGElement, side: 'width' | 'height'): number {
  return Number(picture.getAttribute(side)) || picture.getBoundingClientRect()[side];
}

/** Lines of at most so many characters, broken between words. */
function wrapped(text: string, characters: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= characters)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

const properties = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-opacity',
  'color',
  'opacity',
  'font-family',
  'font-size',
  'font-variant-numeric',
  'paint-order',
];

/** A copy that has the page's styles written into it. */
function inlined(picture: SVGSVGElement): SVGSVGElement {
  const copy = document.importNode(picture, true);
  const originals = [picture, ...picture.querySelectorAll<SVGElement>('*')];
  const copies = [copy, ...copy.querySelectorAll<SVGElement>('*')];
  for (const [index, element] of copies.entries()) {
    const original = originals[index];
    if (!original || element.tagName === 'style') continue;
    const computed = getComputedStyle(original);
    for (const property of properties) {
      const value = computed.getPropertyValue(property);
      if (value) element.style.setProperty(property, property === 'font-family' ? value : plainColour(value));
    }
    // The style has their values now; a program without the page's variables must not meet them.
    const unresolved = Array.from(element.attributes).filter(
      ({ name, value }) => name !== 'style' && /var\(|color-mix\(/.test(value),
    );
    for (const { name } of unresolved) element.removeAttribute(name);
  }
  // What a chart draws beyond its frame, such as a name at the end of a line, stays visible.
  copy.style.overflow = 'visible';
  return copy;
}

let canvas: CanvasRenderingContext2D | null = null;

/** `oklab(…)` and `color-mix(…)` as `rgb(…)`; what is not a colour is returned as it is. */
function plainColour(value: string): string {
  if (!/^(oklab|oklch|lab|lch|color|color-mix)\(/.test(value)) return value;
  canvas ??= document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  if (!canvas) return value;
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = value;
  canvas.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha = 255] = canvas.getImageData(0, 0, 1, 1).data;
  return alpha === 255
    ? `rgb(${red}, ${green}, ${blue})`
    : `rgba(${red}, ${green}, ${blue}, ${(alpha / 255).toFixed(3)})`;
}
