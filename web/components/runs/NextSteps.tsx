import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import { isTrainable } from '../../../sae/spec/architectures/architectures.ts';
import type { Job, RunDetail } from '../../../server/client.ts';
import { paths } from '../../client/paths.ts';
import { useTRPC } from '../../client/trpc.ts';
import { percent } from '../../format/number.ts';
import { StartJob } from '../jobs/StartJob.tsx';
import { Command } from '../ui/Command.tsx';
import { Panel } from '../ui/Panel.tsx';
import { StatusTag } from '../ui/Tag.tsx';
import { lastFailure } from './lastFailure.ts';

/** What a run still lacks, each with the button that makes it; nothing for a run that has everything. */
export function NextSteps({ detail: { manifest, seeds } }: { detail: RunDetail }) {
  const { name, status, step, totalSteps, config } = manifest;
  const { architecture, capture } = config;
  if (status === 'interrupted' && isTrainable(architecture))
    return (
      <Panel
        title={`Interrupted at ${percent(step / totalSteps, 0)}`}
        note="It goes on from its last checkpoint, to the same bits."
      >
        <div className="stack">
          <Command text={`npx lazyscope train --resume --name ${name}`} />
          <div className="cluster">
            <StartJob
              job={{
                kind: 'train',
                options: { architecture, capture, name, resume: true },
              }}
            >
              Resume it here
            </StartJob>
          </div>
        </div>
      </Panel>
    );
  if (status !== 'complete') return null;
  const unevaluated = seeds.filter(({ evaluation }) => evaluation === null).map(({ seed }) => seed);
  const unindexed = seeds.filter(({ indexed }) => !indexed).map(({ seed }) => seed);
  if (unevaluated.length === 0 && unindexed.length === 0) return null;
  return (
    <Panel title="What comes next" note="Each becomes a job, with everything at its default.">
      {unevaluated.length > 0 && <Failure run={name} kind="evaluate" what="The evaluation" />}
      {unindexed.length > 0 && <Failure run={name} kind="index" what="The index" />}
      <div className="cluster">
        {/* A finished run stays as it is when it is resumed; how an imported one was trained isn't known. */}
        {manifest.origin === undefined &&
          isTrainable(architecture) &&
          unevaluated.length + unindexed.length > 1 && (
            <StartJob
              job={{
                kind: 'train',
                options: { architecture, capture, name, resume: true, analyse: true },
              }}
            >
              {seeds.length > 1 ? 'Evaluate, index and compare' : 'Evaluate and index'}
            </StartJob>
          )}
        {unevaluated.length > 0 && (
          <StartJob job={{ kind: 'evaluate', options: { run: name, seeds: unevaluated } }}>
            {`Evaluate ${these(unevaluated, seeds.length)}`}
          </StartJob>
        )}
        {unindexed.length > 0 && (
          <StartJob job={{ kind: 'index', options: { run: name, seeds: unindexed } }}>
            {`Index the features of ${these(unindexed, seeds.length)}`}
          </StartJob>
        )}
      </div>
    </Panel>
  );
}

/** Says of what is missing that it was tried, and what went wrong. */
function Failure({ run, kind, what }: { run: string; kind: Job['kind']; what: string }) {
  const trpc = useTRPC();
  const { data } = useQuery(trpc.jobs.list.queryOptions());
  const error = lastFailure(data ?? [], kind, run);
  if (error === undefined) return null;
  return (
    <p className="small" style={{ marginBottom: 'var(--s-2)' }}>
      <StatusTag status="failed" /> {what} failed: {error} <Link href={paths.jobs()}>See its output</Link>
    </p>
  );
}

function these(some: readonly number[], all: number): string {
  if (some.length === all) return all === 1 ? 'its seed' : 'all seeds';
  return some.length === 1 ? `seed ${some[0]}` : `seeds ${some.join(', ')}`;
}
