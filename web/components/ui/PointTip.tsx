import type { CSSProperties } from 'react';
import styles from './PointTip.module.css';

/** What a point of a picture is, beside it: its name, then what is known of it. `place` is within the picture. */
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
