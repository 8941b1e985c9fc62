import { architectureColour, architectureName, architectureSymbol } from '../../charts/architectureStyle.ts';
import styles from './Tag.module.css';

const shapes = {
  circle: 'M5 1.2a3.8 3.8 0 1 0 .01 0z',
  square: 'M1.6 1.6h6.8v6.8H1.6z',
  triangle: 'M5 1l4.3 7.6H.7z',
  diamond: 'M5 .6L9.4 5 5 9.4.6 5z',
  star: 'M5.0 0.2L6.2 3.4L9.6 3.5L6.9 5.6L7.8 8.9L5.0 7.0L2.2 8.9L3.1 5.6L0.4 3.5L3.8 3.4z',
  hexagon: 'M5.0 0.6L8.8 2.8L8.8 7.2L5.0 9.4L1.2 7.2L1.2 2.8z',
  wye: 'M6.6 5.5L6.6 8.7L3.4 8.7L3.4 5.5L0.7 3.9L2.3 1.2L5.0 2.8L7.7 1.2L9.3 3.9z',
  plus: 'M3.6 .8h2.8v2.8h2.8v2.8H6.4v2.8H3.6V6.4H.8V3.6h2.8z',
  pentagon: 'M5 .6L9.2 3.6L7.6 8.6L2.4 8.6L.8 3.6z',
} as const;

/** The name of an architecture with its symbol and colour, as in all charts and tables. */
export function ArchitectureMark({ architecture }: { architecture: string }) {
  return (
    <svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true" className={styles.mark}>
      <path d={shapes[architectureSymbol(architecture)]} fill={architectureColour(architecture)} />
    </svg>
  );
}

export function ArchitectureTag({ architecture }: { architecture: string }) {
  return (
    <span className={styles.tag}>
      <ArchitectureMark architecture={architecture} />
      {architectureName(architecture)}
    </span>
  );
}

const tones: Record<string, string | undefined> = {
  complete: styles.good,
  done: styles.good,
  shared: styles.good,
  training: styles.live,
  running: styles.live,
  queued: styles.calm,
  partial: styles.warn,
  interrupted: styles.warn,
  lost: styles.warn,
  cancelled: styles.calm,
  failed: styles.bad,
  works: styles.live,
  waits: styles.calm,
  gone: styles.warn,
  dead: styles.calm,
  orphan: styles.bad,
  'not shared': styles.calm,
  'in some seeds': styles.calm,
};

/** A status in one word, with a dot of the status's colour. */
export function StatusTag({ status }: { status: string }) {
  return (
    <span className={`${styles.status} ${tones[status] ?? styles.calm}`}>
      <span className={styles.dot} aria-hidden="true" />
      {status}
    </span>
  );
}
