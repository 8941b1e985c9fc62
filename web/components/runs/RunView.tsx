'use client';
import { placeOf } from '../../../sae/spec/hooksOf.ts';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import { describeError } from '../../client/describeError.ts';
import { useTRPC } from '../../client/trpc.ts';
import { isActive, useJobs } from '../../client/useJobs.ts';
import { architectureName } from '../../charts/architectureStyle.ts';
import { count } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { duration } from '../../format/time.ts';
import { ConsensusPanel } from './ConsensusPanel.tsx';
import { DensityPanel } from './DensityPanel.tsx';
import { evaluatedOn } from './evaluatedOn.ts';
import { ActiveJobs } from '../jobs/ActiveJobs.tsx';
import { TrainingNow } from './TrainingNow.tsx';
import { LayersPanel } from './LayersPanel.tsx';
import { NormsPanel } from './NormsPanel.tsx';
import { NextSteps } from './NextSteps.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { RunSubject } from '../ui/RunSubject.tsx';
import { Panel } from '../ui/Panel.tsx';
import { ProbesPanel } from './ProbesPanel.tsx';
import { RunConfiguration } from './RunConfiguration.tsx';
import { SeedsTable } from './SeedsTable.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { StabilityPanel } from './StabilityPanel.tsx';
import { ArchitectureTag, StatusTag } from '../ui/Tag.tsx';
import { TrainingPanel } from './TrainingPanel.tsx';

export function RunView({ name }: { name: string }) {
  const trpc = useTRPC();
  const run = useQuery(
    trpc.runs.get.queryOptions(
      { name },
      {
        refetchInterval: ({ state: { status, data } }) =>
          status === 'error' || data?.manifest.status === 'training' ? 2_000 : false,
      },
    ),
  );
  const manifest = run.data?.manifest;
  const live = manifest?.status === 'training';
  // A training that no job is known for may be that of a new one.
  const { jobs } = useJobs({ every: live || run.isError ? 2_000 : 10_000 });
  const own = (jobs ?? []).filter(
    (job) => isActive(job) && job.subject?.what === 'run' && job.subject.name === name,
  );
  // A job that is about to make the run says more than that there is none.
  const awaited = own.length > 0 && run.isError && describeError(run.error).kind === 'missing';
  return (
    <>
      <PageHeader
        title={name}
        crumbs={[{ name: 'Runs', href: paths.runs() }]}
        tags={
          manifest && (
            <>
              <ArchitectureTag architecture={manifest.config.architecture} />
              <StatusTag status={manifest.status} />
            </>
          )
        }
        actions={
          <>
            {run.data?.seeds.map(({ seed, indexed }) => (
              <Link key={seed} href={paths.dictionary(name, seed)} className="button" data-indexed={indexed}>
                Features of seed {seed}
              </Link>
            ))}
            {(run.data?.seeds.length ?? 0) > 1 && (
              <Link href={paths.reproducibility(name)} className="button">
                Reproducibility
              </Link>
            )}
          </>
        }
      >
        {manifest && (
          <>
            {architectureName(manifest.config.architecture)} with {count(manifest.config.width)} latents on{' '}
            <code>{placeOf(manifest.config)}</code>
            {run.data?.model ? ` of ${run.data.model}` : ''}, {manifest.config.seeds.length}{' '}
            {manifest.config.seeds.length === 1 ? 'seed' : 'seeds at once'}, {count(manifest.config.tokens)}{' '}
            tokens{live ? '' : ` in ${duration(manifest.seconds)}`}.
          </>
        )}
      </PageHeader>
      <RunSubject runs={[name]} />
      <ActiveJobs title="Now" active={own} />
      {awaited ? null : (
        <Loaded query={run} skeleton={<Skeleton height={480} />}>
          {(detail) => (
            <>
              {live && own.length === 0 && <TrainingNow detail={detail} />}
              {own.length === 0 && <NextSteps detail={detail} />}
              <Panel title="Seeds" note={evaluatedOn(detail)} flush>
                <SeedsTable detail={detail} />
              </Panel>
              <LayersPanel detail={detail} />
              {detail.manifest.consensus && (
                <ConsensusPanel manifest={{ ...detail.manifest, consensus: detail.manifest.consensus }} />
              )}
              <TrainingPanel name={name} architecture={detail.manifest.config.architecture} live={live} />
              <div className="columns" style={{ '--column': '26rem' } as React.CSSProperties}>
                <DensityPanel detail={detail} />
                <RunConfiguration detail={detail} />
              </div>
              <ProbesPanel detail={detail} />
              <NormsPanel detail={detail} />
              {detail.manifest.config.seeds.length > 1 && <StabilityPanel runName={name} />}
            </>
          )}
        </Loaded>
      )}
    </>
  );
}
