'use client';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { architectureColour, architectureName } from '../../charts/architectureStyle.ts';
import { chanceInWords, mmcsBesideChance, sharedAnswer, sharedHeadlines } from '../compare/sharedSummary.ts';
import { percent, unbroken } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { EmptyState } from '../ui/EmptyState.tsx';
import styles from './Headline.module.css';
import { Loaded } from '../ui/Loaded.tsx';
import { Panel } from '../ui/Panel.tsx';
import { ArchitectureMark } from '../ui/Tag.tsx';
import { Term } from '../ui/Term.tsx';

/** The first question of the product: the shared fraction between the seeds of each run, with a dot for each pair. */
export function SharedHeadline() {
  const trpc = useTRPC();
  const comparisons = useQuery(trpc.comparisons.list.queryOptions());
  return (
    <Panel
      title="Which features come back when only the seed changes?"
      note={
        <>
          Share of latents that are <Term of="shared">shared</Term> between two seeds of one configuration; a
          dot a pair, on a line from 0 to 100 %.
        </>
      }
    >
      <Loaded query={comparisons}>
        {(list) => {
          const headlines = sharedHeadlines(list);
          if (headlines.length === 0)
            return (
              <EmptyState title="No two seeds compared yet" command="npx lazyscope compare RUN">
                Train a configuration for several seeds, then compare them.
              </EmptyState>
            );
          const shown = headlines.slice(0, 6);
          return (
            <>
              <p className={styles.answer}>{unbroken(sharedAnswer(shown))}</p>
              <ul className={styles.rows}>
                {shown.map((headline) => (
                  <li key={headline.run} className={styles.row}>
                    <div className={styles.name}>
                      <ArchitectureMark architecture={headline.architecture} />
                      <Link
                        href={`${paths.comparisons()}?run=${encodeURIComponent(headline.run)}`}
                        className="plain"
                      >
                        {architectureName(headline.architecture)}
                      </Link>
                      <span className={`${styles.sub} xs faint`}>{headline.run}</span>
                    </div>
                    <div
                      className={`${styles.big} num`}
                      style={{ color: architectureColour(headline.architecture) }}
                    >
                      {percent(headline.mean)}
                    </div>
                    <div className={styles.detail}>
                      <Strip
                        values={headline.pairs.map((pair) => ({
                          key: pair.comparison,
                          share: pair.shared,
                          title: `seeds ${pair.seeds[0]} and ${pair.seeds[1]}: ${percent(pair.shared)}`,
                        }))}
                        colour={architectureColour(headline.architecture)}
                      />
                      <p className="xs muted num">
                        {headline.byChance !== null &&
                          unbroken(`by chance ${chanceInWords(headline.byChance)} · `)}
                        {headline.pairs.length === 1
                          ? '1 pair of seeds'
                          : unbroken(`${headline.pairs.length} pairs, ${range(headline.low, headline.high)}`)}
                        {' · '}
                        {mmcsBesideChance(headline)}
                        {' · '}
                        <Link href={paths.reproducibility(headline.run)}>feature by feature</Link>
                      </p>
                    </div>
                  </li>
                ))}
              </ul>
              <p className={`${styles.foot} xs muted`}>
                Both cosines at least {headlines[0]?.threshold}.{' '}
                <Link href={paths.comparisons()}>Move the threshold, see the pairs and the orphans</Link>
              </p>
            </>
          );
        }}
      </Loaded>
    </Panel>
  );
}

function range(low: number, high: number): string {
  return percent(low) === percent(high) ? `all ${percent(low)}` : `${percent(low)} to ${percent(high)}`;
}

function Strip({
  values,
  colour,
}: {
  values: readonly { key: string; share: number; title: string }[];
  colour: string;
}) {
  return (
    <div className={styles.strip} role="img" aria-label={values.map((value) => value.title).join('; ')}>
      {values.map((value) => (
        <span
          key={value.key}
          className={styles.dot}
          title={value.title}
          style={{ left: `${value.share * 100}%`, background: colour }}
        />
      ))}
    </div>
  );
}
