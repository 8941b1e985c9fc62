/**
 * Every chart is a pure function `(data, options) → SVG element`. What they have in common is said here:
 * the size they are asked for, the type they are set in, and the words that stand in for them.
 */
import * as Plot from '@observablehq/plot';

export interface ChartSize {
  width: number;
  height: number;
  /** The document that makes the elements; the browser's own unless a test hands one over. */
  document?: Document;
}

export interface ChartWords {
  /** What the chart is, for a reader who can't see it. */
  label: string;
  /** What it says, with its numbers. */
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
  element.setAttribute('role', 'img');
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
