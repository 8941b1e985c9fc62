import type { ArchitectureDescription } from '../../../sae/spec/architectures/architecture.ts';
import styles from './Legend.module.css';

export interface LegendItem {
  name: string;
  colour: string;
  dash?: string | undefined;
  shape?: 'line' | 'block' | 'cross' | ArchitectureDescription['symbol'];
}

const marks = {
  circle: 'M8 3.2a3.8 3.8 0 1 0 .01 0z',
  square: 'M4.6 3.6h6.8v6.8H4.6z',
  triangle: 'M8 3l4.3 7.6H3.7z',
  diamond: 'M8 2.6L12.4 7 8 11.4 3.6 7z',
  star: 'M8.0 2.0L9.2 5.3L12.8 5.5L10.0 7.6L10.9 11.0L8.0 9.1L5.1 11.0L6.0 7.6L3.2 5.5L6.8 5.3z',
  hexagon: 'M8.0 2.4L12.0 4.7L12.0 9.3L8.0 11.6L4.0 9.3L4.0 4.7z',
  wye: 'M9.6 7.5L9.6 10.7L6.4 10.7L6.4 7.5L3.7 5.9L5.3 3.2L8.0 4.8L10.7 3.2L12.3 5.9z',
  plus: 'M6.6 2.6h2.8v2.8h2.8v2.8H9.4V11H6.6V8.2H3.8V5.4h2.8z',
  pentagon: 'M8 2.4L12.2 5.4L10.6 10.6L5.4 10.6L3.8 5.4z',
  block: 'M1 3h14v8H1z',
} as const;

/** With `toggle`, each name is a button that shows or hides its part of the chart. */
export function Legend({
  items,
  hidden,
  toggle,
}: {
  items: readonly LegendItem[];
  hidden?: ReadonlySet<string>;
  toggle?: (name: string) => void;
}) {
  return (
    <ul className={styles.legend} data-legend>
      {items.map(({ name, colour, dash, shape = 'line' }) => {
        const mark = (
          <svg width="16" height="14" viewBox="0 0 16 14" aria-hidden="true">
            {shape === 'line' ? (
              <path d="M0 7h16" stroke={colour} strokeWidth="2" strokeDasharray={dash} />
            ) : shape === 'cross' ? (
              <path d="M5 4l6 6M11 4l-6 6" stroke={colour} strokeWidth="1.5" />
            ) : (
              <path d={marks[shape]} fill={colour} fillOpacity={shape === 'block' ? 0.5 : 1} />
            )}
          </svg>
        );
        return (
          <li key={name} className={styles.item}>
            {toggle ? (
              <button
                type="button"
                className={styles.toggle}
                aria-pressed={!hidden?.has(name)}
                onClick={() => toggle(name)}
              >
                {mark}
                {name}
              </button>
            ) : (
              <>
                {mark}
                {name}
              </>
            )}
          </li>
        );
      })}
    </ul>
  );
}
