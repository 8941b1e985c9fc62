'use client';
import Link from 'next/link';
import { useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import type { ComparisonDetail } from '../../../server/client.ts';
import { arrowTable, numbers } from '../../client/arrowTable.ts';
import { useUrlChoice } from '../../client/useUrlState.ts';
import { count } from '../../format/number.ts';
import { DictionaryMap, type Colouring, type MapPoints } from './DictionaryMap.tsx';
import styles from './DictionaryMap.module.css';
import { paths } from '../../client/paths.ts';
import { EmptyState } from '../ui/EmptyState.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { counterpartsAt, sharedPoints } from './sharedAt.ts';
import { useMatchCosines } from './useMatchCosines.ts';

const columns = ['x', 'y', 'side', 'latent', 'shared', 'stability', 'density', 'maxActivation'] as const;

/** The map of both dictionaries, with shared and unshared features in different colours. */
export function DictionaryMapPanel({ detail, threshold }: { detail: ComparisonDetail; threshold: number }) {
  const { manifest, mapped } = detail;
  const [chosen, setChosen] = useUrlChoice('colour', ['shared', 'stability', 'side'], 'shared');
  const map = useQuery({
    queryKey: ['arrow', 'map', manifest.name, manifest.createdAt],
    staleTime: 60_000,
    enabled: mapped,
    queryFn: async () => {
      const table = await arrowTable(`map/${encodeURIComponent(manifest.name)}`);
      return Object.fromEntries(columns.map((name) => [name, numbers(table, name)])) as Record<
        (typeof columns)[number],
        Float32Array
      > satisfies MapPoints;
    },
  });
  const matches = useMatchCosines(manifest);
  const shown = useMemo(() => {
    if (!map.data || threshold === manifest.threshold || !matches.data) return map.data;
    return { ...map.data, shared: sharedPoints(map.data, counterpartsAt(matches.data, threshold)) };
  }, [map.data, matches.data, manifest.threshold, threshold]);
  const compared = map.data?.stability.some((value) => !Number.isNaN(value)) ?? false;
  return (
    <Panel
      title="Map of both dictionaries"
      note="Decoder rows of a and b laid out together (UMAP): what is near has a like direction. Squares are a’s, crosses b’s."
    >
      {!mapped ? (
        <EmptyState
          title="No map yet"
          command={`npx lazyscope map ${manifest.name}`}
          action={<Link href={paths.startJob('map', { comparison: manifest.name })}>Make it here</Link>}
        >
          It lays the decoder rows of both dictionaries out in the plane, and takes seconds for a thousand
          latents and minutes for a hundred thousand.
        </EmptyState>
      ) : (
        <Loaded query={map} skeleton={<Skeleton height={420} />}>
          {(stored) => (
            <>
              <div className={styles.controls}>
                <Legend items={legends[chosen]} />
                <Segmented
                  label="Colour by"
                  value={chosen}
                  options={[
                    { value: 'shared', name: 'Shared' },
                    ...(compared ? [{ value: 'stability' as const, name: 'Stability' }] : []),
                    { value: 'side', name: 'Dictionary' },
                  ]}
                  change={setChosen}
                />
              </div>
              <DictionaryMap points={shown ?? stored} manifest={manifest} colouring={chosen} />
              <p className="xs muted" style={{ marginTop: 'var(--s-2)' }}>
                {count(stored.x.length)} points.{' '}
                {chosen === 'stability' ? 'Stability is at each comparison’s own threshold. ' : ''}
                {chosen === 'shared' ? `Shared at a cosine of ${threshold}. ` : ''} Drag to move, Ctrl +
                scroll to zoom, click a point for its feature, Shift + drag around some for a table of them.
              </p>
            </>
          )}
        </Loaded>
      )}
    </Panel>
  );
}

const legends: Record<Colouring, Parameters<typeof Legend>[0]['items']> = {
  shared: [
    { name: 'shared', colour: 'var(--accent)', shape: 'square' },
    { name: 'not shared', colour: 'var(--chart-fill)', shape: 'square' },
  ],
  stability: [
    { name: 'in every other seed', colour: 'var(--accent)', shape: 'square' },
    {
      name: 'in some',
      colour: 'color-mix(in srgb, var(--line-strong) 45%, var(--accent))',
      shape: 'square',
    },
    { name: 'in none', colour: 'var(--chart-fill)', shape: 'square' },
  ],
  side: [
    { name: 'a', colour: 'var(--accent)', shape: 'square' },
    { name: 'b', colour: 'var(--up)', shape: 'cross' },
  ],
};
