'use client';
import { useMemo } from 'react';
import type { RunDetail } from '../../../server/client.ts';
import { densityHistogram } from '../../charts/densityHistogram.ts';
import { csvText } from '../../client/saveCsv.ts';
import { seedColour, seedDash } from '../../charts/architectureStyle.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';

export function DensityPanel({ detail }: { detail: RunDetail }) {
  const { name, config } = detail.manifest;
  const series = useMemo(
    () =>
      detail.seeds.flatMap(({ seed, evaluation }) =>
        evaluation
          ? [{ seed, edges: evaluation.densityHistogram.edges, counts: evaluation.densityHistogram.counts }]
          : [],
      ),
    [detail],
  );
  return (
    <Panel
      title="How often latents fire"
      note="Latents by density on held-out tokens; dead ones are left out."
    >
      {series.length === 0 ? (
        <p className="small muted">
          {detail.seeds.some(({ evaluationFault }) => evaluationFault === 'damaged')
            ? 'The evaluation is damaged; evaluate again: '
            : 'Not evaluated yet: '}
          <code>npx lazyscope evaluate {name}</code>
        </p>
      ) : (
        <ChartFigure
          bare
          title="Density histogram"
          name={`${name}-density`}
          csv={densityCsv}
          height={240}
          data={series}
          draw={(data, size) => densityHistogram(data, { ...size, architecture: config.architecture })}
          legend={
            <Legend
              items={series.map(({ seed }, index) => ({
                name: `seed ${seed}`,
                colour: seedColour(config.architecture, index),
                dash: seedDash(index),
              }))}
            />
          }
        />
      )}
    </Panel>
  );
}

function densityCsv(
  series: readonly { seed: number; edges: readonly number[]; counts: readonly number[] }[],
): string {
  return csvText(
    ['seed', 'from log10 density', 'to', 'latents'],
    series.flatMap(({ seed, edges, counts }) =>
      counts.map((latents, bin) => [seed, edges[bin] ?? null, edges[bin + 1] ?? null, latents]),
    ),
  );
}
