'use client';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { architectureColour, architectureName } from '../../charts/architectureStyle.ts';
import { count, fixed, percent } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { EmptyState } from '../ui/EmptyState.tsx';
import styles from './Headline.module.css';
import { Loaded } from '../ui/Loaded.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { Term } from '../ui/Term.tsx';

/** The second question of the product: how many neurons are active on a token, by model and by layer. */
export function LazyHeadline() {
  const trpc = useTRPC();
  const reports = useQuery(trpc.sparsity.list.queryOptions());
  const names = (reports.data ?? []).slice(0, 4).map((report) => report.name);
  const details = useQuery(trpc.sparsity.compare.queryOptions({ names }, { enabled: names.length > 0 }));
  return (
    <Panel
      title="How lazy are the neurons?"
      note={
        <>
          <Term of="activationRatio" />: share of MLP neurons that are not exactly zero on a token; a bar a
          layer, out of 100 %.
        </>
      }
    >
      <Loaded query={reports}>
        {(list) => {
          if (list.length === 0)
            return (
              <EmptyState
                title="No model measured yet"
                command="npx lazyscope sparsity --model MODEL --text dataset:moby-dick"
              >
                Measure a model’s activation sparsity on some text.
              </EmptyState>
            );
          return (
            <>
              <ul className={styles.rows}>
                {list.slice(0, 4).map((report) => {
                  const layers =
                    details.data?.find((detail) => detail.report.name === report.name)?.report.layers ?? [];
                  const colour = architectureColour(report.activation);
                  return (
                    <li key={report.name} className={styles.row}>
                      <div className={styles.name}>
                        <span className={styles.swatch} style={{ background: colour }} aria-hidden="true" />
                        <Link href={`${paths.lazy()}#${report.name}`} className="plain">
                          {architectureName(report.activation)}
                        </Link>
                        <span className={`${styles.sub} xs faint`}>{report.model}</span>
                      </div>
                      <div className={`${styles.big} num`} style={{ color: colour }}>
                        {percent(report.activationRatio)}
                      </div>
                      <div className={styles.detail}>
                        {details.isPending ? (
                          <Skeleton height={24} />
                        ) : (
                          <div
                            className={styles.layers}
                            role="img"
                            aria-label={layers
                              .map((layer) => `layer ${layer.layer}: ${percent(layer.activationRatio)}`)
                              .join('; ')}
                          >
                            {layers.map((layer) => (
                              <span
                                key={layer.layer}
                                className={styles.column}
                                title={`layer ${layer.layer}: ${percent(layer.activationRatio)}`}
                              >
                                <span
                                  style={{ height: `${layer.activationRatio * 100}%`, background: colour }}
                                />
                              </span>
                            ))}
                          </div>
                        )}
                        <p className="xs muted num">
                          {percent(report.ratioAtCett)} keep the output within 20 % · loss{' '}
                          {fixed(report.crossEntropy, 2)}
                        </p>
                      </div>
                    </li>
                  );
                })}
              </ul>
              <p className={`${styles.foot} xs muted`}>
                Over {count(list[0]?.tokens)} tokens.{' '}
                <Link href={paths.lazy()}>What masking the others costs</Link>
              </p>
            </>
          );
        }}
      </Loaded>
    </Panel>
  );
}
