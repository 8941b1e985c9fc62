'use client';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { percent } from '../../format/number.ts';
import { describeError } from '../../client/describeError.ts';
import { paths } from '../../client/paths.ts';
import { ActivationPanel } from './ActivationPanel.tsx';
import { CounterpartsPanel } from './CounterpartsPanel.tsx';
import { ExamplesPanel } from './ExamplesPanel.tsx';
import { LayersPanel } from './LayersPanel.tsx';
import { FeatureFigures } from './FeatureFigures.tsx';
import styles from './FeatureView.module.css';
import { FlowsPanel } from './FlowsPanel.tsx';
import { LabelEditor } from './LabelEditor.tsx';
import { LatentSteps } from './LatentSteps.tsx';
import { StarButton } from '../labels/StarButton.tsx';
import { FeatureLists } from '../labels/FeatureLists.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { NeighboursPanel } from './NeighboursPanel.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { RunSubject } from '../ui/RunSubject.tsx';
import { ReturnsPanel } from './ReturnsPanel.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { ArchitectureTag, StatusTag } from '../ui/Tag.tsx';
import { TryText } from '../playground/TryText.tsx';
import { TokenEffectsPanel } from './TokenEffectsPanel.tsx';

export function FeatureView({ run, seed, latent }: { run: string; seed: number; latent: number }) {
  const trpc = useTRPC();
  const feature = useQuery(
    // The previous feature stays visible until the next one has loaded, so that stepping through latents does not flicker.
    trpc.features.get.queryOptions({ run, seed, latent }, { placeholderData: keepPreviousData }),
  );
  const data = feature.data;
  // While the next feature loads, the data are those of the one before.
  const known = data?.latent === latent && data.run === run && data.seed === seed ? data : undefined;
  const missing = feature.isError && describeError(feature.error).kind === 'missing';
  return (
    <>
      <PageHeader
        title={missing ? `There is no latent ${latent}` : (known?.label ?? `Latent ${latent}`)}
        crumbs={[
          { name: 'Runs', href: paths.runs() },
          { name: run, href: paths.run(run) },
          { name: `seed ${seed}`, href: paths.dictionary(run, seed) },
        ]}
        tags={
          data && (
            <>
              <ArchitectureTag architecture={data.architecture} />
              {data.dead && <StatusTag status="dead" />}
              {data.stability !== null && !data.dead && (
                <StatusTag status={stabilityStatus(data.stability)} />
              )}
            </>
          )
        }
        actions={
          !feature.isError && (
            <>
              {known && <StarButton run={run} seed={seed} latent={latent} lists={known.lists} />}
              <LatentSteps run={run} seed={seed} latent={latent} width={data?.width} />
            </>
          )
        }
      >
        {data && (
          <>
            {known?.label && <strong className={styles.label}>Latent {latent}.</strong>}
            {data.stability === null
              ? 'Not compared with another seed yet.'
              : `Comes back in ${Math.round(data.stability * data.comparedSeeds)} of ${data.comparedSeeds} other ${data.comparedSeeds === 1 ? 'seed' : 'seeds'} (stability ${percent(data.stability, 0)}).`}
          </>
        )}
      </PageHeader>
      <RunSubject runs={[run]} name={`${run}, seed ${seed}, latent ${latent}`} />
      <Loaded query={feature} skeleton={<Skeleton height={560} />}>
        {(detail) => (
          <div className={styles.stage} data-stale={feature.isPlaceholderData || undefined}>
            <FeatureFigures feature={detail} />
            {detail.layers && <LayersPanel layers={detail.layers} />}
            {!detail.layers && <TryText run={detail.run} seed={detail.seed} latent={detail.latent} />}
            <div className={styles.grid}>
              <div className="stack">
                <ExamplesPanel feature={detail} />
                <ActivationPanel feature={detail} />
              </div>
              <div className="stack">
                <LabelEditor key={`${detail.run} ${detail.seed} ${detail.latent}`} feature={detail} />
                <FeatureLists feature={detail} />
                <TokenEffectsPanel feature={detail} />
              </div>
            </div>
            {detail.comparedSeeds > 0 && <ReturnsPanel run={run} seed={seed} latent={latent} />}
            <CounterpartsPanel feature={detail} />
            {detail.comparedSeeds > 0 && <FlowsPanel run={run} seed={seed} latent={latent} />}
            <NeighboursPanel feature={detail} />
          </div>
        )}
      </Loaded>
    </>
  );
}

/** In one word: in every other seed, in some of them, or in none. */
function stabilityStatus(stability: number): string {
  if (stability === 1) return 'shared';
  return stability === 0 ? 'orphan' : 'in some seeds';
}
