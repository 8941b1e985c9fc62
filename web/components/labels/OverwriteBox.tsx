import styles from './LabelsView.module.css';

/** Whether labels that are there give way to new ones. */
export function OverwriteBox({ checked, change }: { checked: boolean; change: (checked: boolean) => void }) {
  return (
    <label className={`small ${styles.tick}`}>
      <input type="checkbox" checked={checked} onChange={(event) => change(event.target.checked)} />
      Replace labels that people wrote, carried or imported
    </label>
  );
}
