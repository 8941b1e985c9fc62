/** A document for charts that are drawn outside a browser, and a way to read what was drawn. */
import { parseHTML } from 'linkedom';
import type { ChartSize } from './chartFrame.ts';

export function testSize(width = 400, height = 240): ChartSize {
  return { width, height, document: parseHTML('<html><body></body></html>').document };
}

/** The texts of an axis or mark, by the label that Plot gives its group. */
export function textsOf(picture: SVGSVGElement, group: string): string[] {
  return [...picture.querySelectorAll(`[aria-label="${group}"] text`)].map((text) => text.textContent ?? '');
}

/** The lines drawn, each as its points in pixels. */
export function linesOf(picture: SVGSVGElement): [number, number][][] {
  return pathsOf(picture, 'line');
}

/** The areas drawn, each as its outline in pixels: along the upper edge and back along the lower one. */
export function areasOf(picture: SVGSVGElement): [number, number][][] {
  return pathsOf(picture, 'area');
}

function pathsOf(picture: SVGSVGElement, mark: string): [number, number][][] {
  return [...picture.querySelectorAll(`[aria-label="${mark}"] path`)].map((path) =>
    [...(path.getAttribute('d') ?? '').matchAll(/[ML]([-\d.e]+),([-\d.e]+)/g)].map(
      (match): [number, number] => [Number(match[1]), Number(match[2])],
    ),
  );
}
