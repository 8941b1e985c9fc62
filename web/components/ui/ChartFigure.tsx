'use client';
import { useRouter } from 'next/navigation';
import { useEffect, useId, useRef, useState, type ReactNode } from 'react';
import type { ChartSize } from '../../charts/chartFrame.ts';
import styles from './ChartFigure.module.css';
import { SaveButtons } from './SaveButtons.tsx';

/**
 * Connects charts with React: measures the available width, calls a pure chart function, puts its
 * element into the page, and offers to save it. It redraws when the data, the width or the texts change.
 */
export function ChartFigure<Data>({
  title,
  note,
  legend,
  data,
  draw,
  height = 240,
  bare = false,
  name,
  csv,
  overlay,
}: {
  title: ReactNode;
  note?: ReactNode;
  legend?: ReactNode;
  /** The chart's data. The chart is redrawn when it is another object. */
  data: Data;
  draw: (data: Data, size: ChartSize) => SVGSVGElement;
  height?: number;
  /** Whether to hide the title, because the panel around it shows the same; screen readers still read it. */
  bare?: boolean;
  /** File name of the exported picture, without its ending. */
  name: string;
  /** Gives the data as CSV. */
  csv: (data: Data) => string;
  /** Elements placed over the chart, such as a slider or a marker. */
  overlay?: ReactNode;
}) {
  const place = useRef<HTMLDivElement>(null);
  const drawing = useRef(draw);
  const [width, setWidth] = useState(0);
  const router = useRouter();
  const caption = useId();
  useEffect(() => {
    drawing.current = draw;
  });

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const element = place.current;
    if (!element || width < 40) return;
    const picture = drawing.current(data, { width, height });
    // Links in a chart are a convenience for the pointer; the tables beside it have the same ones for the keyboard.
    for (const link of picture.querySelectorAll('a')) link.setAttribute('tabindex', '-1');
    element.replaceChildren(picture);
    return () => picture.remove();
  }, [data, width, height]);

  return (
    <figure className={styles.figure} aria-labelledby={caption}>
      <div className={styles.head}>
        <div className={styles.words}>
          <figcaption id={caption} className={bare ? 'visually-hidden' : undefined}>
            <h3>{title}</h3>
            {note && <p className={styles.note}>{note}</p>}
          </figcaption>
          {bare && legend}
        </div>
        <SaveButtons
          name={name}
          csv={() => csv(data)}
          picture={() => place.current?.querySelector('svg') ?? null}
        />
      </div>
      {!bare && legend}
      <div className={styles.stage} style={{ minHeight: height }}>
        <div
          ref={place}
          className={styles.place}
          onClick={(event) => {
            const link = (event.target as Element).closest('a');
            const href = link?.getAttribute('href') ?? link?.getAttribute('xlink:href');
            if (!href || event.metaKey || event.ctrlKey) return;
            event.preventDefault();
            router.push(href);
          }}
        />
        {overlay}
      </div>
    </figure>
  );
}
