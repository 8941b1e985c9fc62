'use client';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import { isJoint } from '../../../sae/spec/jointHook.ts';
import type { ReproducibilityDetail } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { architectureColour } from '../../charts/architectureStyle.ts';
import { count, percent } from '../../format/number.ts';
import { chanceInWords } from '../compare/sharedSummary.ts';
import { paths } from '../../client/paths.ts';
import { Command } from '../ui/Command.tsx';
import { EmptyState } from '../ui/EmptyState.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { RunSubject } from '../ui/RunSubject.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { Stats } from '../ui/Stat.tsx';
import { ArchitectureTag } from '../ui/Tag.tsx';
import { Term } from '../ui/Term.tsx';
import { ControlsPanel } from './ControlsPanel.tsx';
import { MatchingsPanel } from './MatchingsPanel.tsx';
import { ReturnCharts } from './ReturnCharts.tsx';
import { SeedReturns } from './SeedReturns.tsx';
import { SpacesPanel } from './SpacesPanel.tsx';
import { SubspacesPanel } from './SubspacesPanel.tsx';
import { SweepsPanel } from './SweepsPanel.tsx';
import { WorthPanel } from './WorthPanel.tsx';
import styles from './ReproducibilityView.module.css';

/** How likely the features of a run are to come back in another seed: the answer first, then what it rests on. */
export function ReproducibilityView({ name }: { name: string }) {
  const trpc = useTRPC();
  const detail = useQuery(trpc.runs.reproducibility.queryOptions({ name }));
  const run = useQuery(trpc.runs.get.queryOptions({ name }));
  const architecture = run.data?.manifest.config.architecture;
  return (
    <>
      <PageHeader
        title="Reproducibility"
        crumbs={[
          { name: 'Runs', href: paths.runs() },
          { name, href: paths.run(name) },
        ]}
        tags={architecture && <ArchitectureTag architecture={architecture} />}
      >
        How likely each feature of <Link href={paths.run(name)}>{name}</Link> is to come back when only the
        seed changes.
      </PageHeader>
      <RunSubject runs={[name]} />
      <Loaded query={detail} skeleton={<Skeleton height={480} />}>
        {(found) =>
          found ? (
            <Report
              detail={found}
              colour={architectureColour(architecture ?? '')}
              crosscoder={isJoint(run.data?.manifest.config.hook ?? '')}
            />
          ) : (
            <EmptyState
              title="Not measured yet"
              command={`npx lazyscope reproducibility ${name}`}
              action={
                <Link href={paths.startJob('reproducibility', { run: name })} className="button">
                  Measure it here
                </Link>
              }
            >
              It takes a run with several seeds, compares the pairs that are not compared yet, and sets every
              feature beside what random dictionaries would show.
            </EmptyState>
          )
        }
      </Loaded>
      <SweepsPanel run={name} />
      <SpacesPanel run={name} />
    </>
  );
}

function othersInWords(others: number): string {
  if (others === 1) return 'the other seed';
  return others === 2 ? 'both other seeds' : `every one of ${others} other seeds`;
}

/** What a crosscoder's features are worth, and which matching finds the same ones, is measured at one hook point: not of crosscoders. */
function Report({
  detail,
  colour,
  crosscoder,
}: {
  detail: ReproducibilityDetail;
  colour: string;
  crosscoder: boolean;
}) {
  const { report, outdated } = detail;
  const { every, any, mean, beyond, learning } = report;
  const others = report.seeds.length - 1;
  return (
    <>
      <p className={styles.answer}>
        <strong className="num" style={{ color: colour }}>
          {percent(every.share)}
        </strong>{' '}
        of the features came back in {othersInWords(others)}; by chance it would be{' '}
        <span className="num">{chanceInWords(every.chance)}</span>.
      </p>
      {outdated && (
        <div className={styles.outdated}>
          <p className="small">Seeds were compared again since. This brings the report up to date:</p>
          <Command text={`npx lazyscope reproducibility ${report.run}`} />
        </div>
      )}
      <Stats
        items={[
          {
            label: 'in every other seed',
            value: percent(every.share),
            note: `95 % interval ${percent(every.low)} to ${percent(every.high)}`,
          },
          {
            label: 'in at least one',
            value: percent(any.share),
            note: `chance ${chanceInWords(any.chance)}`,
          },
          {
            label: <Term of="comesBack">on average</Term>,
            value: percent(mean.share),
            note: `of the other seeds; chance ${chanceInWords(mean.chance)}`,
          },
          {
            label: <Term of="beyondChance" />,
            value: percent(beyond.share),
            note: `false discovery rate ${percent(beyond.q, 0)}`,
          },
          {
            label: 'features',
            value: count(report.latents * report.seeds.length),
            note: `${report.seeds.length} seeds of ${count(report.latents)}; cosines ≥ ${report.threshold}`,
          },
          {
            label: 'seeds that are enough',
            value: learning.enough === null ? '–' : count(learning.enough),
            note:
              learning.law === null
                ? 'a law takes three seeds'
                : learning.enough === null
                  ? 'more than twenty'
                  : 'by the fitted law, one more then changes less than 1 % of the features',
          },
        ]}
      />
      <ReturnCharts detail={detail} colour={colour} />
      <div className="columns" style={{ '--column': '26rem' } as React.CSSProperties}>
        <SeedReturns report={report} />
        <ControlsPanel report={report} />
      </div>
      {report.subspaces && <SubspacesPanel run={report.run} subspaces={report.subspaces} colour={colour} />}
      {!crosscoder && (
        <>
          <WorthPanel run={report.run} worth={report.worth} colour={colour} />
          <MatchingsPanel run={report.run} />
        </>
      )}
      <Panel title="What chance means here">
        <p className="small muted" style={{ maxWidth: '46rem' }}>
          {nullWords[report.null]} For each feature the probability that such a dictionary holds a row within
          the threshold is exact. A feature that came back must also be found by its encoder row and have its
          counterpart to itself, which chance does not have to do: what is shown is the most that chance could
          give.
        </p>
      </Panel>
    </>
  );
}

const nullWords = {
  covariance:
    'Dictionaries of random directions, with the covariance of the activations or with the second moment of another seed’s rows, whichever comes nearer.',
  rows: 'Dictionaries of random directions with the second moment of another seed’s rows; the activations that the run was trained on are no longer there.',
  isotropic: 'Dictionaries of random directions without a preference; the activations are too wide for more.',
} as const;
