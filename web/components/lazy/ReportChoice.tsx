'use client';
import type { SparsityRow } from '../../../server/client.ts';
import { architectureColour, architectureName } from '../../charts/architectureStyle.ts';
import { fixed, percent } from '../../format/number.ts';
import styles from './ReportChoice.module.css';

/** The choice of reports to compare, each with its activation ratio. */
export function ReportChoice({
  reports,
  chosen,
  change,
}: {
  reports: readonly SparsityRow[];
  chosen: readonly string[];
  change: (names: string[]) => void;
}) {
  return (
    <fieldset className={styles.choice}>
      <legend className="visually-hidden">Reports to show side by side</legend>
      {reports.map((report) => {
        const on = chosen.includes(report.name);
        const colour = architectureColour(report.activation);
        return (
          <label key={report.name} id={report.name} className={styles.card} data-on={on || undefined}>
            <input
              type="checkbox"
              checked={on}
              // The last chosen report can't be removed, because the page would be empty.
              disabled={on && chosen.length === 1}
              onChange={() =>
                change(
                  on
                    ? chosen.filter((name) => name !== report.name)
                    : reports
                        .map((one) => one.name)
                        .filter((name) => name === report.name || chosen.includes(name))
                        .slice(0, 8),
                )
              }
            />
            <span className={styles.words}>
              <strong>{architectureName(report.activation)}</strong>
              <span className="xs muted">
                {report.name}
                {report.gated ? ', gated' : ''}
              </span>
            </span>
            <span className={styles.figure}>
              <span className={`${styles.big} num`} style={{ color: colour }}>
                {percent(report.activationRatio)}
              </span>
              <span className="xs muted num">active · loss {fixed(report.crossEntropy, 3)}</span>
            </span>
          </label>
        );
      })}
    </fieldset>
  );
}
