'use client';
import { useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import type { RunMetrics } from '../../../server/client.ts';
import { trainingCurve, type TrainingPoint } from '../../charts/trainingCurve.ts';
import { csvText } from '../../client/saveCsv.ts';
import { useTRPC } from '../../client/trpc.ts';
import { architectureColour } from '../../charts/architectureStyle.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Panel } from '../ui/Panel.tsx';

/** The columns of the metrics table that have a chart, and how each is drawn. Other columns are not shown. */
const curves: { pattern: RegExp; label: string; log?: boolean; top?: number; share?: boolean }[] = [
  { pattern: /^loss$/i, label: 'loss', log: true },
  { pattern: /^fvu$/i, label: 'FVU' },
  { pattern: /^l0$/i, label: 'L0', log: true },
  { pattern: /^deadFraction$/, label: 'dead latents', top: 0.1, share: true },
];

export function TrainingPanel({
  name,
  architecture,
  live,
}: {
  name: string;
  architecture: string;
  live: boolean;
}) {
  const trpc = useTRPC();
  const metrics = useQuery(
    trpc.runs.metrics.queryOptions({ name, maxPoints: 400 }, { refetchInterval: live ? 2_000 : false }),
  );
  return (
    <Panel title="Training" note="On training batches.">
      <Loaded query={metrics}>
        {(data) =>
          data.seeds.every((seed) => seed.step.length === 0) ? (
            <p className="small muted">No step has been logged yet.</p>
          ) : (
            <>
              {data.seeds.length > 1 && (
                <Legend
                  items={[
                    { name: `mean of ${data.seeds.length} seeds`, colour: architectureColour(architecture) },
                    {
                      name: 'smallest to largest',
                      colour: architectureColour(architecture),
                      shape: 'block',
                    },
                  ]}
                />
              )}
              <div className="columns" style={{ '--column': '15.5rem' } as React.CSSProperties}>
                {curves.map((curve) => {
                  const column = data.columns.find((name) => curve.pattern.test(name));
                  return column === undefined ? null : (
                    <Curve
                      key={curve.label}
                      run={name}
                      metrics={data}
                      column={column}
                      curve={curve}
                      architecture={architecture}
                    />
                  );
                })}
              </div>
            </>
          )
        }
      </Loaded>
    </Panel>
  );
}

function Curve({
  run,
  metrics,
  column,
  curve,
  architecture,
}: {
  run: string;
  metrics: RunMetrics;
  column: string;
  curve: (typeof curves)[number];
  architecture: string;
}) {
  const points = useMemo(
    () =>
      metrics.seeds.flatMap(({ seed, tokens, values }) =>
        tokens.map((at, index): TrainingPoint => ({
          seed,
          tokens: at,
          value: values[column]?.[index] ?? Number.NaN,
        })),
      ),
    [metrics, column],
  );
  return (
    <ChartFigure
      title={curve.label}
      name={`${run}-${column}`}
      csv={(rows) =>
        csvText(
          ['seed', 'tokens', column],
          rows.map(({ seed, tokens, value }) => [seed, tokens, value]),
        )
      }
      height={200}
      data={points}
      draw={(data, size) =>
        trainingCurve(data, {
          ...size,
          architecture,
          label: curve.label,
          ...(curve.log ? { log: true } : {}),
          ...(curve.top ? { top: curve.top } : {}),
          ...(curve.share ? { share: true } : {}),
        })
      }
    />
  );
}
