'use client';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import type { ComparisonDetail } from '../../../server/client.ts';
import { curveAt } from '../../charts/sharedCurve.ts';
import { useTRPC } from '../../client/trpc.ts';
import { count, fixed, percent, significant } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { duration } from '../../format/time.ts';
import { DictionaryMapPanel } from './DictionaryMapPanel.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { MatchesPanel } from './MatchesPanel.tsx';
import { MeasuresPanel } from './MeasuresPanel.tsx';
import { OrphansPanel } from './OrphansPanel.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { RunSubject } from '../ui/RunSubject.tsx';
import { SharedCurvePanel } from './SharedCurvePanel.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { StabilityPanel } from '../runs/StabilityPanel.tsx';
import { Stats } from '../ui/Stat.tsx';
import { ArchitectureTag } from '../ui/Tag.tsx';
import { Term } from '../ui/Term.tsx';
import { chanceInWords } from './sharedSummary.ts';
import { useThreshold } from './useThreshold.ts';

/** What random dictionaries of the same shape reach, and in plain words when that is more. */
function besideChance({ manifest, isotropicChance }: ComparisonDetail, figure: 'mmcs' | 'pwMcc') {
  const { chance } = manifest;
  const exact = figure === 'mmcs' ? isotropicChance?.mmcs : undefined;
  const random = (chance?.covariance ?? chance?.isotropic)?.[figure] ?? exact;
  if (random === undefined) return undefined;
  return manifest[figure] < random ? `below chance (${fixed(random)})` : `chance ${fixed(random)}`;
}

export function ComparisonView({ name }: { name: string }) {
  const trpc = useTRPC();
  const comparison = useQuery(trpc.comparisons.get.queryOptions({ name }));
  const manifest = comparison.data?.manifest;
  return (
    <>
      <PageHeader
        title={name}
        crumbs={[{ name: 'Compare', href: paths.comparisons() }]}
        tags={manifest && <ArchitectureTag architecture={manifest.architectures[0]} />}
      >
        {manifest && (
          <>
            <strong>a</strong>{' '}
            <Link href={paths.dictionary(manifest.a.run, manifest.a.seed)}>
              {manifest.a.run}, seed {manifest.a.seed}
            </Link>{' '}
            against <strong>b</strong>{' '}
            <Link href={paths.dictionary(manifest.b.run, manifest.b.seed)}>
              {manifest.b.run}, seed {manifest.b.seed}
            </Link>
            {manifest.a.run === manifest.b.run
              ? ': only the seed differs.'
              : manifest.a.seed === manifest.b.seed
                ? '. Runs with one seed start from the same random rows, and part of what they share may be that.'
                : '.'}
          </>
        )}
      </PageHeader>
      {manifest && (
        <RunSubject
          runs={[manifest.a.run, manifest.b.run]}
          name={`${manifest.a.run}, seed ${manifest.a.seed} against ${manifest.b.run}, seed ${manifest.b.seed}`}
        />
      )}
      <Loaded query={comparison} skeleton={<Skeleton height={480} />}>
        {(detail) => <Comparison detail={detail} />}
      </Loaded>
    </>
  );
}

/** The threshold moves all that it is about; the figures that it doesn't move stand apart and say so. */
function Comparison({ detail }: { detail: ComparisonDetail }) {
  const { threshold, dragged, change } = useThreshold(detail.manifest.threshold);
  const moved = threshold !== detail.manifest.threshold;
  const here = moved ? curveAt(detail.curve, threshold) : undefined;
  const chance = detail.manifest.chance?.covariance ?? detail.manifest.chance?.isotropic;
  return (
    <>
      <Stats
        items={[
          {
            label: <Term of="shared" />,
            value: percent(here?.shared ?? detail.manifest.shared),
            note: `cosines ≥ ${threshold}${chance && !moved ? `; chance ${chanceInWords(chance.shared)}` : ''}`,
          },
          { label: 'decoder alone', value: percent(here?.decoder ?? detail.manifest.sharedDecoder) },
          { label: 'encoder alone', value: percent(here?.encoder ?? detail.manifest.sharedEncoder) },
          {
            label: <Term of="mmcs" />,
            value: fixed(detail.manifest.mmcs),
            note: besideChance(detail, 'mmcs'),
          },
          {
            label: <Term of="pwMcc" />,
            value: fixed(detail.manifest.pwMcc),
            note: besideChance(detail, 'pwMcc'),
          },
          ...(detail.manifest.chance
            ? [
                {
                  label: 'beyond chance',
                  value: percent(detail.manifest.chance.beyond.share),
                  note: `matched pairs, false discovery rate ${percent(detail.manifest.chance.beyond.q)}`,
                },
              ]
            : []),
          { label: 'latents of a', value: count(detail.manifest.latents) },
          {
            label: <Term of="gap" />,
            value: detail.manifest.gap === 0 ? '0' : significant(detail.manifest.gap, 2),
            note: detail.manifest.solver,
          },
          {
            label: 'computed in',
            value: duration(detail.manifest.seconds),
            note: `${count(detail.manifest.peakRssMb)} MB at most`,
          },
        ]}
      />
      {moved && (
        <p className="xs muted">
          At a cosine of {threshold}; the comparison was made with {detail.manifest.threshold}. Mean cosines,
          what is beyond chance and the gap don’t depend on it.
        </p>
      )}
      <SharedCurvePanel detail={detail} threshold={dragged} change={change} />
      <MeasuresPanel manifest={detail.manifest} />
      <DictionaryMapPanel detail={detail} threshold={threshold} />
      <MatchesPanel manifest={detail.manifest} threshold={threshold} />
      <OrphansPanel
        run={detail.manifest.a.run}
        seeds={[detail.manifest.a.seed]}
        threshold={moved ? threshold : undefined}
      />
      {detail.manifest.a.run === detail.manifest.b.run && <StabilityPanel runName={detail.manifest.a.run} />}
    </>
  );
}
