'use client';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { count } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { isServedPage } from '../../client/servedPages.ts';
import { JobLines } from '../jobs/JobLines.tsx';
import { LatestRuns } from './LatestRuns.tsx';
import { LazyHeadline } from './LazyHeadline.tsx';
import { LeftOutLine } from '../ui/LeftOutLine.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import styles from './OverviewView.module.css';
import { PageHeader } from '../ui/PageHeader.tsx';
import { Panel } from '../ui/Panel.tsx';
import { SharedHeadline } from './SharedHeadline.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { Stats } from '../ui/Stat.tsx';

export function OverviewView() {
  const trpc = useTRPC();
  const overview = useQuery(trpc.overview.get.queryOptions());
  return (
    <>
      <PageHeader title="Overview">Two questions, answered with what is in this store.</PageHeader>
      <div className={styles.questions}>
        {isServedPage(paths.runs()) && <SharedHeadline />}
        {isServedPage(paths.lazy()) && <LazyHeadline />}
      </div>
      <div className={styles.lists}>
        {isServedPage(paths.runs()) && (
          <Panel
            title="Latest runs"
            flush
            actions={
              <Link href={paths.runs()} className="small">
                All runs
              </Link>
            }
          >
            <LatestRuns />
          </Panel>
        )}
        <Panel
          title="Jobs"
          actions={
            <Link href={paths.jobs()} className="small">
              Start one
            </Link>
          }
        >
          <JobLines />
        </Panel>
      </div>
      <Panel title="This store">
        <Loaded query={overview} skeleton={<Skeleton height={48} />}>
          {(data) => (
            <div className="stack">
              <Stats
                items={[
                  { label: 'models', value: count(data.models) },
                  { label: 'captures', value: count(data.captures) },
                  { label: 'dictionaries', value: count(data.runs), note: 'runs × seeds' },
                  { label: 'features indexed', value: count(data.features) },
                  { label: 'comparisons', value: count(data.comparisons) },
                  { label: 'sparsity reports', value: count(data.sparsityReports) },
                ]}
              />
              <LeftOutLine of={['runs', 'captures', 'comparisons', 'sparsityReports']} />
              <p className="small muted">
                <span className="mono">{data.dataFolder}</span> · Lazyscope {data.version}
                {data.backend ? ` · jobs compute on ${data.backend.name} (${data.backend.detail})` : ''}
              </p>
            </div>
          )}
        </Loaded>
      </Panel>
    </>
  );
}
