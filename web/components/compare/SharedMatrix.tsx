import Link from 'next/link';
import { architectureColour, architectureName } from '../../charts/architectureStyle.ts';
import { chanceInWords, mmcsBesideChance, type SharedHeadline } from './sharedSummary.ts';
import { count, percent } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { Panel } from '../ui/Panel.tsx';
import styles from './SharedMatrix.module.css';
import { ArchitectureMark } from '../ui/Tag.tsx';

/** Shared fraction for each pair of a run's seeds: rows and columns are seeds, a cell opens the comparison. */
export function SharedMatrix({ headline }: { headline: SharedHeadline }) {
  const seeds = [...new Set(headline.pairs.flatMap((pair) => pair.seeds))].sort((a, b) => a - b);
  const colour = architectureColour(headline.architecture);
  const cell = (row: number, column: number) =>
    headline.pairs.find(({ seeds: [a, b] }) => (a === row && b === column) || (a === column && b === row));
  return (
    <Panel
      title={
        <span className="cluster">
          <ArchitectureMark architecture={headline.architecture} />
          {architectureName(headline.architecture)}
        </span>
      }
      note={
        <>
          <Link href={paths.run(headline.run)}>{headline.run}</Link> · {count(headline.latents)} latents
          {headline.byChance === null ? '' : ` · by chance ${chanceInWords(headline.byChance)} shared`} ·{' '}
          {mmcsBesideChance(headline)}
        </>
      }
      actions={
        <span className={`${styles.mean} num`} style={{ color: colour }}>
          {percent(headline.mean)}
        </span>
      }
    >
      <table className={styles.matrix}>
        <caption className="visually-hidden">Shared fraction between seeds of {headline.run}</caption>
        <thead>
          <tr>
            <td className={styles.corner}>seed</td>
            {seeds.map((seed) => (
              <th key={seed} scope="col">
                {seed}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {seeds.map((row) => (
            <tr key={row}>
              <th scope="row">{row}</th>
              {seeds.map((column) => {
                const pair = cell(row, column);
                return (
                  <td key={column}>
                    {row === column ? (
                      <span className={styles.same} aria-label="the same seed">
                        ·
                      </span>
                    ) : pair ? (
                      <Link
                        href={paths.comparison(pair.comparison)}
                        className={styles.cell}
                        style={{
                          backgroundColor: `color-mix(in oklab, ${colour} ${Math.round(pair.shared * 45)}%, var(--sunken))`,
                        }}
                        aria-label={`Seeds ${row} and ${column}: ${percent(pair.shared)} shared`}
                      >
                        {percent(pair.shared)}
                      </Link>
                    ) : (
                      <span className={styles.same} title="not compared">
                        –
                      </span>
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
