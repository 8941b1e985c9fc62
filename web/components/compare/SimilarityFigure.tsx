'use client';
import { useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import type { ComparisonManifest } from '../../../sae/spec/manifests/comparison.ts';
import { chanceColour, type SharedCurvePoint } from '../../charts/sharedCurve.ts';
import {
  chanceBins,
  similarityBins,
  similarityHistogram,
  similarityLines,
} from '../../charts/similarityHistogram.ts';
import { arrowTable, numbers } from '../../client/arrowTable.ts';
import { columnsCsv } from '../ui/columnsCsv.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';

/** Histogram of the cosines between latents and their counterparts; `threshold` is the one set by the reader. */
export function SimilarityFigure({
  manifest,
  curve,
  threshold,
}: {
  manifest: ComparisonManifest;
  curve: readonly SharedCurvePoint[];
  threshold: number;
}) {
  const bins = useQuery({
    queryKey: ['arrow', 'matches', manifest.name, manifest.createdAt],
    staleTime: 60_000,
    queryFn: async () => {
      const table = await arrowTable(`matches/${encodeURIComponent(manifest.name)}`);
      return similarityBins({
        decoder: numbers(table, 'decoderCosine'),
        encoder: numbers(table, 'encoderCosine'),
        nearest: numbers(table, 'nearestCosine'),
      });
    },
  });
  return (
    <Loaded query={bins} skeleton={<Skeleton height={220} />}>
      {(data) => <Histogram data={data} curve={curve} manifest={manifest} threshold={threshold} />}
    </Loaded>
  );
}

function Histogram({
  data,
  curve,
  manifest,
  threshold,
}: {
  data: ReturnType<typeof similarityBins>;
  curve: readonly SharedCurvePoint[];
  manifest: ComparisonManifest;
  threshold: number;
}) {
  const { latents, name } = manifest;
  // The data must be a new object when the threshold changes, because a chart is redrawn only then.
  const drawn = useMemo(
    () => ({ data, threshold, chance: chanceBins(curve, latents) }),
    [data, threshold, curve, latents],
  );
  return (
    <ChartFigure
      title="How alike counterparts are"
      name={`${name}-similarity`}
      csv={({ data: bars }) =>
        columnsCsv({
          'from cosine': bars.decoder.map((_, bin) => (2 * bin) / bars.decoder.length - 1),
          ...bars,
        })
      }
      height={220}
      data={drawn}
      draw={(now, size) =>
        similarityHistogram(now.data, { ...size, threshold: now.threshold, chance: now.chance })
      }
      legend={
        <Legend
          items={[
            ...similarityLines.map(({ name: line, colour, dash }) => ({ name: line, colour, dash })),
            ...(drawn.chance.length > 0
              ? [{ name: 'matched decoder rows by chance', colour: chanceColour, shape: 'block' as const }]
              : []),
          ]}
        />
      }
    />
  );
}
