'use client';
import { useMemo, useState } from 'react';
import type { Worth } from '../../../sae/spec/reproducibility/worth.ts';
import { lineChart, type LineSeries } from '../../charts/lineChart.ts';
import { chanceColour } from '../../charts/sharedCurve.ts';
import { count, fixed, percent, significant } from '../../format/number.ts';
import { seriesCsv } from '../lazy/seriesCsv.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Command } from '../ui/Command.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Term } from '../ui/Term.tsx';

type What = 'ablated' | 'kept';
type Figure = keyof Worth['groups'][number]['ablated'];

const charts: readonly { figure: Figure; title: string; unit: string }[] = [
  { figure: 'fvu', title: 'Reconstruction', unit: 'FVU, change' },
  { figure: 'crossEntropy', title: 'Loss', unit: 'cross-entropy, change in nats' },
  { figure: 'divergence', title: 'Prediction', unit: 'KL in nats' },
];

/** What groups of features are worth, from those that come back least to those that come back most, beside random groups like them. */
export function WorthPanel({
  run,
  worth,
  colour,
}: {
  run: string;
  worth: Worth | undefined;
  colour: string;
}) {
  const [what, setWhat] = useState<What>('ablated');
  if (!worth)
    return (
      <Panel title="What stability is worth">
        <p className="small muted" style={{ marginBottom: 'var(--s-2)' }}>
          Whether features that come back carry more of the reconstruction and of the prediction than others
          as frequent and as strong. It runs the model some hundred times:
        </p>
        <Command text={`npx lazyscope reproducibility ${run} --worth`} />
      </Panel>
    );
  const { whole, attribution, draws } = worth;
  return (
    <Panel
      title="What stability is worth"
      note={
        <>
          Tenths of the features by how surely they come back,{' '}
          {what === 'ablated' ? 'each set to 0' : 'each kept alone, all others set to 0'}; grey lines are the
          least and the most of {draws} random groups of like density and strength, between which a further
          one would be with probability {percent(worth.coverage, 0)}. On {count(worth.tokens)} rows and{' '}
          {count(worth.lossTokens)} predicted tokens.
        </>
      }
      actions={
        <Segmented
          label="What is done to a group"
          value={what}
          options={[
            { value: 'ablated', name: 'Set to 0' },
            { value: 'kept', name: 'Kept alone' },
          ]}
          change={setWhat}
        />
      }
    >
      <div className="columns" style={{ '--column': '20rem' } as React.CSSProperties}>
        {charts.map((chart) => (
          <WorthChart key={chart.figure} {...chart} {...{ run, worth, what, colour }} />
        ))}
      </div>
      <p className="small muted" style={{ marginTop: 'var(--s-3)' }}>
        The whole dictionary has <Term of="fvu" /> {fixed(whole.fvu)}. Without any feature it is{' '}
        {fixed(whole.fvuWithout)}, and the loss, {fixed(whole.crossEntropy, 2)} nats, grows by{' '}
        {fixed(whole.crossEntropyChange, 2)}. <Term of="attribution" /> and the measured change agree over{' '}
        {count(attribution.latents)} features with a correlation of {fixed(attribution.pearson, 2)}, that of
        ranks {fixed(attribution.spearman, 2)}.
      </p>
    </Panel>
  );
}

function WorthChart({
  run,
  worth,
  what,
  figure,
  title,
  unit,
  colour,
}: {
  run: string;
  worth: Worth;
  what: What;
  figure: Figure;
  title: string;
  unit: string;
  colour: string;
}) {
  const lines = useMemo((): LineSeries[] => {
    const x = worth.groups.map((_, at) => at + 1);
    const own = worth.groups.map((group) => group[what][figure]);
    return [
      { name: 'least of random groups', colour: chanceColour, x, y: own.map(({ least }) => least) },
      { name: 'most of random groups', colour: chanceColour, x, y: own.map(({ most }) => most) },
      {
        name: '95 % interval, low',
        colour,
        dash: '2 4',
        x,
        y: own.map(({ interval }) => interval?.[0] ?? NaN),
      },
      {
        name: '95 % interval, high',
        colour,
        dash: '2 4',
        x,
        y: own.map(({ interval }) => interval?.[1] ?? NaN),
      },
      // Drawn last, over the others.
      { name: 'by stability', colour, x, y: own.map(({ change }) => change) },
    ];
  }, [worth, what, figure, colour]);
  return (
    <ChartFigure
      title={title}
      name={`${run}-worth-${what}-${figure}`}
      csv={seriesCsv('tenth', figure)}
      data={lines}
      draw={(drawn, size) =>
        lineChart(drawn, {
          ...size,
          label: `${unit}, against the group by stability, ${what === 'ablated' ? 'set to 0' : 'kept alone'}`,
          x: { label: 'tenth, most stable last', format: (value) => String(value) },
          y: { label: unit, format: (value) => significant(value, 2) },
          dots: true,
        })
      }
      legend={
        <Legend
          items={[
            { name: 'by stability, with 95 % interval', colour },
            { name: 'random groups like them', colour: chanceColour },
          ]}
        />
      }
    />
  );
}
