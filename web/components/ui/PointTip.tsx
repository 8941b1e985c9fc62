import type { CSSProperties } from 'react';
import styles from './PointTip.module.css';

/** A tooltip beside a point of a chart: its name, then lines with its figures. `place` is in the chart's coordinates. */
export function PointTip({ place, lines }: { place: CSSProperties; lines: readonly string[] }) {
  const [name, ...rest] = lines;
  return (
    <div className={styles.tip} style={place}>
      <strong>{name}</strong>
      {rest.map((line) => (
        <div key={line} className="muted num">
          {line}
        </div>
      ))}
    </div>
  );
}
