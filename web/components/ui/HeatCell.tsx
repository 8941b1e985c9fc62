import styles from './HeatCell.module.css';

/** A share as a shaded cell, never so dark that its number is hard to read. */
export function HeatCell({ share, colour, text }: { share: number; colour: string; text: string }) {
  return (
    <span
      className={styles.cell}
      style={{
        backgroundColor: `color-mix(in oklab, ${colour} ${Math.round(Math.max(0, Math.min(1, share)) * 40)}%, transparent)`,
      }}
    >
      {text}
    </span>
  );
}
