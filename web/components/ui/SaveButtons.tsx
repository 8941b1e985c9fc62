'use client';
import { useRef } from 'react';
import { saveCsv } from '../../client/saveCsv.ts';
import { savePng, saveSvg, type PictureWords } from '../../client/savePicture.ts';
import { chartSubject } from './ChartSubject.tsx';
import styles from './SaveButtons.module.css';

/** Saves a chart as its numbers or as a picture with title, legend and subject, which are read from the page. */
export function SaveButtons({
  name,
  title,
  csv,
  picture,
}: {
  /** Name of the file, without its ending. */
  name: string;
  /** By default the heading of the figure. */
  title?: string;
  csv: () => string;
  /** The chart; null while there is none. */
  picture: () => SVGSVGElement | null;
}) {
  const place = useRef<HTMLDivElement>(null);
  const words = (): PictureWords => {
    const figure = place.current?.closest('figure');
    // One that stands in the panel itself is the legend of all its charts.
    const legend =
      figure?.querySelector('[data-legend]') ??
      [...(place.current?.closest('section')?.querySelectorAll('[data-legend]') ?? [])].find(
        (each) => each.closest('figure') === null,
      );
    const shown = [...(legend?.querySelectorAll('li') ?? [])].filter(
      (item) => item.querySelector('[aria-pressed="false"]') === null,
    );
    return {
      title: title ?? figure?.querySelector('h3')?.textContent ?? '',
      subject: place.current ? chartSubject(place.current) : '',
      legend: shown.map((item) => ({
        name: item.textContent?.trim() ?? '',
        mark: item.querySelector('svg'),
      })),
    };
  };
  const save = (as: typeof saveSvg | typeof savePng) => {
    const drawn = picture();
    if (drawn) void as(drawn, words(), name);
  };
  return (
    <div ref={place} className={styles.saves}>
      <button
        type="button"
        className={styles.save}
        aria-label={`Save the data of “${name}” as CSV`}
        onClick={() => saveCsv(csv(), name)}
      >
        CSV
      </button>
      <button
        type="button"
        className={styles.save}
        aria-label={`Save “${name}” as SVG`}
        onClick={() => save(saveSvg)}
      >
        SVG
      </button>
      <button
        type="button"
        className={styles.save}
        aria-label={`Save “${name}” as PNG`}
        onClick={() => save(savePng)}
      >
        PNG
      </button>
    </div>
  );
}
