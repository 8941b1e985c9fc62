'use client';
import { useMemo } from 'react';
import type { ComparisonManifest } from '../../../sae/spec/manifests/comparison.ts';
import { chanceColour, type SharedCurvePoint } from '../../charts/sharedCurve.ts';
import {
  chanceBins,
  similarityBins,
  similarityHistogram,
  similarityLines,
} from '../../charts/similarityHistogram.ts';
import { columnsCsv } from '../ui/columnsCsv.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { useMatchCosines, type MatchCosines } from './useMatchCosines.ts';

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
  const matches = useMatchCosines(manifest);
  return (
    <Loaded query={matches} skeleton={<Skeleton height={220} />}>
      {(cosines) => <Histogram cosines={cosines} curve={curve} manifest={manifest} threshold={threshold} />}
    </Loaded>
  );
}

function Histogram({
  cosines,
  curve,
  manifest,
  threshold,
}: {
  cosines: MatchCosines;
  curve: readonly SharedCurvePoint[];
  manifest: ComparisonManifest;
  threshold: number;
}) {
  const { latents, name } = manifest;
  const data = useMemo(
    () =>
      similarityBins({
        decoder: cosines.decoderCosine,
        encoder: cosines.encoderCosine,
        nearest: cosines.nearestCosine,
      }),
    [cosines],
  );
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
