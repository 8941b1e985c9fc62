/**
 * Every chart is a pure function `(data, options) → SVG element`. This file has what all charts have in common:
 * their size, their font, and their description for screen readers.
 */
import * as Plot from '@observablehq/plot';

export interface ChartSize {
  width: number;
  height: number;
  /** The document that makes the elements; the browser's own unless a test hands one over. */
  document?: Document;
}

export interface ChartWords {
  /** Name of the chart, for screen readers. */
  label: string;
  /** Summary of the chart's content with its numbers, for screen readers. */
  description: string;
}

export function chart(size: ChartSize, words: ChartWords, options: Plot.PlotOptions): SVGSVGElement {
  const element = Plot.plot({
    width: size.width,
    height: size.height,
    ...(size.document ? { document: size.document } : {}),
    marginTop: 26,
    marginRight: 14,
    marginBottom: 38,
    marginLeft: 46,
    style: {
      background: 'none',
      color: 'var(--ink-2)',
      fontFamily: 'var(--sans)',
      fontSize: '12px',
      overflow: 'visible',
    },
    figure: false,
    ...options,
    ariaLabel: words.label,
    ariaDescription: words.description,
  });
  // Screen readers skip what is inside an image, so a chart whose marks are links is a group.
  element.setAttribute('role', element.querySelector('a') ? 'group' : 'img');
  // Plot names its marks, and a name needs a role.
  for (const mark of element.querySelectorAll('g[aria-label]:not([role])'))
    mark.setAttribute('role', 'group');
  // The plot's own label and description are attributes; a title would pop up as a tooltip over the marks.
  return element as SVGSVGElement;
}

/** Tooltips are set like the rest: small, on the surface's own colour. */
export const tipStyle = {
  fontSize: 12,
  fill: 'var(--surface)',
  stroke: 'var(--line-strong)',
  textPadding: 7,
  pathFilter: 'none',
} as const;
