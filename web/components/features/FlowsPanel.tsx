'use client';
import Link from 'next/link';
import { useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import { flowKinds } from '../../../sae/spec/flowKinds.ts';
import type { LatentFlows } from '../../../server/client.ts';
import { flowDiagram, type FlowData } from '../../charts/flowDiagram.ts';
import { paths } from '../../client/paths.ts';
import { useTRPC } from '../../client/trpc.ts';
import { fixed, percent } from '../../format/number.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Panel } from '../ui/Panel.tsx';

/** Whether this feature splits, merges or is absorbed in other dictionaries. Nothing where that was not measured. */
export function FlowsPanel({ run, seed, latent }: { run: string; seed: number; latent: number }) {
  const trpc = useTRPC();
  const { data } = useQuery(trpc.features.flows.queryOptions({ run, seed, latent }));
  if (!data || data.length === 0) return null;
  return (
    <Panel
      title="Does it split or merge?"
      note={
        <>
          Where the optimal transport between decoder rows sends it, and what else of its dictionary goes
          there. <Link href={paths.reproducibility(run)}>All features of the run</Link>
        </>
      }
    >
      <div className="columns" style={{ '--column': '19rem' } as React.CSSProperties}>
        {data.map((one) => (
          <FlowFigure key={`${one.run} ${one.seed}`} {...{ run, seed, latent }} flows={one} />
        ))}
      </div>
    </Panel>
  );
}

interface FlowFigureProps {
  run: string;
  seed: number;
  latent: number;
  flows: LatentFlows;
}

function FlowFigure({ run, seed, latent, flows: one }: FlowFigureProps) {
  const data = useMemo((): FlowData => {
    const source = new Map(one.sources.map((end, at) => [end.latent, at]));
    const target = new Map(one.targets.map((end, at) => [end.latent, at]));
    return {
      sources: one.sources.map((end) => ({
        name: nameOf(end),
        href: paths.feature(run, seed, end.latent),
        own: end.latent === latent,
      })),
      targets: one.targets.map((end) => ({
        name: nameOf(end),
        href: paths.feature(one.run, one.seed, end.latent),
      })),
      flows: one.flows.flatMap(({ from, to, mass, sent, received, cosine }) => {
        const [at, other] = [source.get(from), target.get(to)];
        if (at === undefined || other === undefined) return [];
        return [
          {
            from: at,
            to: other,
            mass,
            note: `${percent(sent, 0)} of it, ${percent(received, 0)} of what arrives, cosine ${fixed(cosine, 2)}`,
          },
        ];
      }),
    };
  }, [one, run, seed, latent]);
  const where = one.run === run ? `Seed ${one.seed}` : `${one.run}, seed ${one.seed}`;
  const { name, doc } = flowKinds[one.kind];
  const rows = Math.max(one.sources.length, one.targets.length, 1);
  if (one.targets.length === 0)
    return (
      <div>
        <h3>
          {where}: {name}
        </h3>
        <p className="small muted">Nothing there gets a tenth of it.</p>
      </div>
    );
  return (
    <ChartFigure
      title={`${where}: ${name}`}
      note={`${doc[0].toUpperCase()}${doc.slice(1)}.`}
      name={`${run}-${seed}-${latent}-flows-${one.run}-${one.seed}`}
      data={data}
      height={Math.min(320, 40 + 34 * rows)}
      csv={({ sources, targets, flows }) =>
        [
          'from,to,mass',
          ...flows.map(
            ({ from, to, mass }) =>
              `${JSON.stringify(sources[from].name)},${JSON.stringify(targets[to].name)},${mass}`,
          ),
        ].join('\n')
      }
      draw={(drawn, size) =>
        flowDiagram(drawn, {
          ...size,
          colour: 'var(--accent)',
          label: `Where latent ${latent} goes in ${where.toLowerCase()}`,
        })
      }
    />
  );
}

const nameOf = ({ latent, label }: { latent: number; label: string | null }) =>
  label === null ? `latent ${latent}` : `${latent} ${label}`;
