'use client';
import { useQuery } from '@tanstack/react-query';
import { useRouter } from 'next/navigation';
import { useEffect, useMemo, useRef, useState, type MouseEvent } from 'react';
import { inkOf, pointAt } from '../../charts/pointCloud.ts';
import {
  scatterPlane,
  stabilityScatter,
  type ScatterInks,
  type StabilityPoints,
} from '../../charts/stabilityScatter.ts';
import { arrowTable, numbers } from '../../client/arrowTable.ts';
import { count, percent, significant } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { columnsCsv } from '../ui/columnsCsv.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { useLabelNames } from '../labels/useLabelNames.ts';
import { PointTip } from '../ui/PointTip.tsx';
import styles from './StabilityCloud.module.css';

const columns = ['seed', 'latent', 'density', 'stability', 'maxActivation'] as const;
const height = 240;
/** How far a pointer may be from a point, in pixels. */
const near = 12;

/** Scatter plot of all live latents of a run by density and largest activation; shows nothing for a run that isn't indexed. */
export function StabilityCloud({
  runName,
  version,
  colour,
}: {
  runName: string;
  version: string;
  colour: string;
}) {
  const table = useQuery({
    queryKey: ['arrow', 'stability', runName, version],
    staleTime: 60_000,
    queryFn: async () => {
      const all = await arrowTable(`stability/${encodeURIComponent(runName)}`);
      return Object.fromEntries(columns.map((name) => [name, numbers(all, name)])) as Record<
        (typeof columns)[number],
        Float32Array
      > satisfies StabilityPoints;
    },
  });
  return (
    <Loaded query={table}>
      {(points) =>
        points.latent.length === 0 ? null : <Cloud points={points} runName={runName} colour={colour} />
      }
    </Loaded>
  );
}

function Cloud({ points, runName, colour }: { points: StabilityPoints; runName: string; colour: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [inks, setInks] = useState<ScatterInks>({ shared: 0, ground: 0, orphan: 0 });
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const read = () => {
      const style = getComputedStyle(element);
      const ink = (name: string) => inkOf(style.getPropertyValue(name));
      const own = /var\((--[\w-]+)\)/.exec(colour)?.[1] ?? '--accent';
      setInks({ shared: ink(own), ground: ink('--surface'), orphan: ink('--chart-fill') });
    };
    read();
    const themed = new MutationObserver(read);
    themed.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => themed.disconnect();
  }, [colour]);
  const drawn = useMemo(() => ({ points, inks }), [points, inks]);
  return (
    <div ref={place}>
      <ChartFigure
        title="Where the orphans are"
        note={`${count(points.latent.length)} live latents`}
        name={`${runName}-orphans`}
        csv={(rows) => columnsCsv({ ...rows.points })}
        data={drawn}
        height={height}
        draw={(data, size) => stabilityScatter(data.points, { ...size, inks: data.inks })}
        overlay={<Pointed points={points} runName={runName} />}
        legend={
          <Legend
            items={[
              { name: 'shared', colour, shape: 'square' },
              { name: 'orphan: in no other seed', colour: 'var(--chart-fill)', shape: 'cross' },
            ]}
          />
        }
      />
    </div>
  );
}

/** Describes the latent under the pointer; a click opens it. */
function Pointed({ points, runName }: { points: StabilityPoints; runName: string }) {
  const [width, setWidth] = useState(0);
  const [over, setOver] = useState<{ point: number; left: number; top: number } | null>(null);
  const place = useRef<HTMLDivElement>(null);
  const router = useRouter();
  const names = useLabelNames(over ? { run: runName, seed: points.seed[over.point] } : undefined);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const resized = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    resized.observe(element);
    return () => resized.disconnect();
  }, []);
  const plane = useMemo(() => scatterPlane(points, { width: width || 1, height }), [points, width]);
  const under = (event: MouseEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    const at = { px: event.clientX - box.left, py: event.clientY - box.top, width, height, within: near };
    return { point: pointAt(plane.cloud, plane.view, at, plane.colour), left: at.px, top: at.py };
  };
  return (
    <div
      ref={place}
      className={styles.over}
      data-over={over ? '' : undefined}
      onPointerMove={(event) => {
        const found = under(event);
        setOver(found.point < 0 ? null : found);
      }}
      onPointerLeave={() => setOver(null)}
      onClick={(event) => {
        const { point } = under(event);
        if (point >= 0) router.push(paths.feature(runName, points.seed[point], points.latent[point]));
      }}
    >
      {over && (
        <PointTip
          place={{
            left: over.left > width / 2 ? undefined : over.left + 14,
            right: over.left > width / 2 ? width - over.left + 14 : undefined,
            top: Math.min(over.top, height - 90),
          }}
          lines={wordsOf(points, over.point, names)}
        />
      )}
    </div>
  );
}

function wordsOf(
  { latent, seed, density, maxActivation, stability }: StabilityPoints,
  point: number,
  names: ReadonlyMap<number, string>,
): string[] {
  const label = names.get(latent[point]);
  return [
    ...(label === undefined ? [] : [label]),
    `latent ${latent[point]} · seed ${seed[point]}`,
    `fires on ${percent(density[point])} of tokens, up to ${significant(maxActivation[point])}`,
    stability[point] === 0
      ? 'shared with no other seed'
      : `shared in ${percent(stability[point], 0)} of the other seeds`,
  ];
}
