'use client';
import { useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import { lineChart } from '../../charts/lineChart.ts';
import { useTRPC } from '../../client/trpc.ts';
import { architectureColour } from '../../charts/architectureStyle.ts';
import type { SharedHeadline } from '../compare/sharedSummary.ts';
import { percent } from '../../format/number.ts';
import { sharedByLayer } from './sharedByLayer.ts';
import { seriesCsv } from '../lazy/seriesCsv.ts';
import { ChartSubject } from '../ui/ChartSubject.tsx';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';

/** Shared fraction by layer, for configurations that were trained and compared at two layers or more; shows nothing otherwise. */
export function StabilityByLayer({ headlines }: { headlines: readonly SharedHeadline[] }) {
  const trpc = useTRPC();
  const runs = useQuery(trpc.runs.list.queryOptions());
  const lines = useMemo(
    () =>
      sharedByLayer(headlines, runs.data ?? []).map(({ name, architecture, layers, shared }, index) => ({
        name,
        colour: architectureColour(architecture),
        dash: index === 0 ? undefined : ['6 3', '1.5 3', '8 3 2 3'][(index - 1) % 3],
        x: layers,
        y: shared,
      })),
    [headlines, runs.data],
  );
  if (lines.length === 0) return null;
  return (
    <Panel
      title="Does it depend on the layer?"
      note="Mean over pairs of seeds; lines join one configuration."
    >
      <ChartSubject text={[...new Set((runs.data ?? []).flatMap(({ model }) => model ?? []))].join(', ')} />
      <ChartFigure
        bare
        title="Shared fraction by layer"
        name="shared-by-layer"
        csv={seriesCsv('layer', 'shared')}
        data={lines}
        draw={(drawn, size) =>
          lineChart(drawn, {
            ...size,
            label: 'Shared fraction of latents by layer',
            x: { label: 'layer', format: (value) => (Number.isInteger(value) ? String(value) : '') },
            y: { label: 'shared', format: (value) => percent(value, 0) },
          })
        }
        legend={<Legend items={lines.map(({ name, colour, dash }) => ({ name, colour, dash }))} />}
      />
    </Panel>
  );
}
