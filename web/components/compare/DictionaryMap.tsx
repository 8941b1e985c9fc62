'use client';
import { useRouter } from 'next/navigation';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { ComparisonManifest } from '../../../sae/spec/manifests/comparison.ts';
import {
  blended,
  inkOf,
  paintPoints,
  pointAt,
  pointTowards,
  pointsWithin,
  wholeView,
  zoomed,
  type PlaneView,
  type PointCloud,
} from '../../charts/pointCloud.ts';
import { count, percent, significant } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import styles from './DictionaryMap.module.css';
import { MapSelection } from './MapSelection.tsx';
import { SaveButtons } from '../ui/SaveButtons.tsx';
import { columnsCsv } from '../ui/columnsCsv.ts';
import { useLatentWords } from './useLatentWords.ts';
import { PointTip } from '../ui/PointTip.tsx';

/** Both dictionaries' latents in columns, as the server's Arrow table has them. */
export interface MapPoints extends PointCloud {
  side: Float32Array;
  latent: Float32Array;
  shared: Float32Array;
  stability: Float32Array;
  density: Float32Array;
  maxActivation: Float32Array;
}

export type Colouring = 'stability' | 'shared' | 'side';

/** Steps of the ramp from shared with few to shared with all. */
const steps = 4;
/** How far a pointer may be from a point, in CSS pixels. */
const near = 10;

/**
 * The canvas of the map: drag to move, scroll with Ctrl or use the buttons to zoom, point at a latent for its figures, click to open it. By the
 * keyboard, Enter takes the point nearest to the middle, arrows go from point to point, and Enter opens it. Drag with Shift, or after
 * “Encircle”, to choose some.
 */
export function DictionaryMap({
  points,
  manifest,
  colouring,
}: {
  points: MapPoints;
  manifest: ComparisonManifest;
  colouring: Colouring;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0, ratio: 1 });
  const [moved, setMoved] = useState<PlaneView | null>(null);
  const [over, setOver] = useState<{ point: number; px: number; py: number } | null>(null);
  const [inks, setInks] = useState<readonly number[]>([]);
  /** The point that the keyboard is on. */
  const [chosen, setChosen] = useState<number | null>(null);
  const [encircling, setEncircling] = useState(false);
  const [outline, setOutline] = useState<[number, number][]>([]);
  const [caught, setCaught] = useState<number[] | null>(null);
  const drag = useRef<{ px: number; py: number; far: boolean } | null>(null);
  const router = useRouter();
  const view = useMemo(
    () => moved ?? wholeView(points, { width: size.width || 1, height: size.height || 1 }),
    [moved, points, size],
  );
  const colour = useMemo(() => colours(points, colouring), [points, colouring]);
  const shape = useMemo(() => new Uint8Array(points.side), [points]);

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const resized = new ResizeObserver(([entry]) =>
      setSize({
        width: Math.round((entry?.contentRect.width ?? 0) * ratio),
        height: Math.round((entry?.contentRect.height ?? 0) * ratio),
        ratio,
      }),
    );
    resized.observe(element);
    return () => resized.disconnect();
  }, []);

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const read = () => setInks(palette(element, colouring));
    read();
    const themed = new MutationObserver(read);
    themed.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => themed.disconnect();
  }, [colouring]);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (!element || !context || size.width === 0) return;
    const frame = requestAnimationFrame(() => {
      const image = context.createImageData(size.width, size.height);
      const seen = paintPoints(
        { pixels: new Uint32Array(image.data.buffer), width: size.width, height: size.height },
        points,
        view,
        {
          colour,
          palette: inks,
          shape,
          reach: points.x.length > 20_000 ? 1 : 2,
        },
      );
      context.putImageData(image, 0, 0);
      element.dataset.seen = String(seen);
    });
    return () => cancelAnimationFrame(frame);
  }, [points, view, size, colour, shape, inks]);

  const place = useCallback(
    (event: { clientX: number; clientY: number }) => {
      const box = canvas.current?.getBoundingClientRect();
      const ratio = box && box.width > 0 ? size.width / box.width : 1;
      return {
        px: (event.clientX - (box?.left ?? 0)) * ratio,
        py: (event.clientY - (box?.top ?? 0)) * ratio,
        ...size,
        ratio,
      };
    },
    [size],
  );

  // React's wheel listeners are passive and cannot keep the page from scrolling.
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      setMoved(zoomed(view, 1.0015 ** -event.deltaY, place(event)));
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  }, [view, place]);

  const zoom = (factor: number) =>
    setMoved(zoomed(view, factor, { px: size.width / 2, py: size.height / 2, ...size }));
  const shift = (dx: number, dy: number) =>
    setMoved({ ...view, x: view.x + dx / view.scale, y: view.y + dy / view.scale });
  const { ratio } = size;
  /** In CSS pixels. */
  const placeOf = (point: number) => ({
    px: (size.width / 2 + (points.x[point] - view.x) * view.scale) / ratio,
    py: (size.height / 2 - (points.y[point] - view.y) * view.scale) / ratio,
  });
  const shown = over ?? (chosen === null ? null : { point: chosen, ...placeOf(chosen) });
  const words = useLatentWords(shown ? latentOf(manifest, points, shown.point) : undefined);
  const goTowards = (dx: number, dy: number) => {
    if (chosen === null) return shift(dx * 60, dy * 60);
    const next = pointTowards(points, chosen, { dx, dy }, colour);
    if (next < 0) return;
    setChosen(next);
    // The map follows, so that the point stays in sight.
    const [x, y] = [points.x[next], points.y[next]];
    const inSight =
      Math.abs(x - view.x) * view.scale < 0.45 * size.width &&
      Math.abs(y - view.y) * view.scale < 0.45 * size.height;
    if (!inSight) setMoved({ ...view, x, y });
  };
  const enter = () => {
    if (chosen !== null) return router.push(featurePath(manifest, points, chosen));
    const middle = { px: size.width / 2, py: size.height / 2, ...size, within: Infinity };
    const nearest = pointAt(points, view, middle, colour);
    if (nearest >= 0) setChosen(nearest);
  };

  return (
    <>
      <div className={styles.stage}>
        <canvas
          ref={canvas}
          className={styles.canvas}
          width={size.width}
          height={size.height}
          role="application"
          tabIndex={0}
          aria-label={`Map of ${count(points.x.length)} latents of both dictionaries; ${describe(points)}. Arrow keys move it, + and − zoom, Enter takes the point in the middle; arrows then go to other points, Enter opens one, Escape lets go.`}
          data-over={over ? '' : undefined}
          data-points={points.x.length}
          onPointerDown={(event) => {
            const start = place(event);
            if (encircling || event.shiftKey) {
              setCaught(null);
              setOutline([[start.px, start.py]]);
            } else drag.current = { ...start, far: false };
            event.currentTarget.setPointerCapture(event.pointerId);
          }}
          onPointerMove={(event) => {
            const at = place(event);
            if (outline.length > 0) {
              setOver(null);
              setOutline([...outline, [at.px, at.py]]);
              return;
            }
            const from = drag.current;
            if (from) {
              const [dx, dy] = [at.px - from.px, at.py - from.py];
              if (!from.far && Math.hypot(dx, dy) < 4) return;
              drag.current = { px: at.px, py: at.py, far: true };
              setOver(null);
              shift(-dx, dy);
              return;
            }
            const point = pointAt(points, view, { ...at, within: near * at.ratio }, colour);
            setOver(point < 0 ? null : { point, px: at.px / at.ratio, py: at.py / at.ratio });
          }}
          onPointerLeave={() => setOver(null)}
          onPointerUp={(event) => {
            if (outline.length > 0) {
              setCaught(pointsWithin(points, view, { outline, ...size }, colour));
              setOutline([]);
              setEncircling(false);
              return;
            }
            const clicked = drag.current && !drag.current.far;
            drag.current = null;
            const at = place(event);
            const point = clicked ? pointAt(points, view, { ...at, within: near * at.ratio }, colour) : -1;
            if (point >= 0) router.push(featurePath(manifest, points, point));
          }}
          onPointerCancel={() => {
            drag.current = null;
            setOutline([]);
          }}
          onKeyDown={(event) => {
            const does: Record<string, () => void> = {
              ArrowLeft: () => goTowards(-1, 0),
              ArrowRight: () => goTowards(1, 0),
              ArrowUp: () => goTowards(0, 1),
              ArrowDown: () => goTowards(0, -1),
              Enter: enter,
              Escape: () => setChosen(null),
              '+': () => zoom(1.4),
              '-': () => zoom(1 / 1.4),
              '0': () => setMoved(null),
            };
            const act = does[event.key];
            if (!act) return;
            event.preventDefault();
            act();
          }}
        />
        <div className={styles.buttons}>
          <button type="button" className="button" aria-label="Zoom in" onClick={() => zoom(1.5)}>
            +
          </button>
          <button type="button" className="button" aria-label="Zoom out" onClick={() => zoom(1 / 1.5)}>
            −
          </button>
          <button
            type="button"
            className="button"
            aria-pressed={encircling}
            title="Drag around some points; Shift and drag does the same"
            onClick={() => setEncircling(!encircling)}
          >
            Encircle
          </button>
          <button type="button" className="button" onClick={() => setMoved(null)} disabled={moved === null}>
            All
          </button>
        </div>
        <svg
          className={styles.marks}
          viewBox={`0 0 ${size.width || 1} ${size.height || 1}`}
          aria-hidden="true"
        >
          {outline.length > 1 && <polygon points={outline.map((corner) => corner.join(',')).join(' ')} />}
          {chosen !== null && (
            <circle cx={placeOf(chosen).px * ratio} cy={placeOf(chosen).py * ratio} r={9 * ratio} />
          )}
        </svg>
        {shown && (
          <PointTip
            place={{
              left: `clamp(0px, ${shown.px + 14}px, calc(100% - 15.5rem))`,
              top: shown.py > 140 ? undefined : shown.py + 14,
              bottom: shown.py > 140 ? `calc(100% - ${shown.py - 10}px)` : undefined,
            }}
            lines={[...wordsOf(manifest, points, shown.point), ...words]}
          />
        )}
        <p className="visually-hidden" aria-live="polite">
          {chosen === null ? '' : [...wordsOf(manifest, points, chosen), ...words].join(', ')}
        </p>
      </div>
      <SaveButtons
        name={`${manifest.name}-map`}
        title="Map of both dictionaries"
        csv={() => columnsCsv({ ...points })}
        picture={() => pictureOf(canvas.current)}
      />
      {caught && (
        <MapSelection manifest={manifest} points={points} caught={caught} clear={() => setCaught(null)} />
      )}
    </>
  );
}

/** The canvas as it stands, as an image within a picture. */
function pictureOf(canvas: HTMLCanvasElement | null): SVGSVGElement | null {
  if (!canvas) return null;
  const picture = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const image = document.createElementNS('http://www.w3.org/2000/svg', 'image');
  for (const [name, length] of Object.entries({ width: canvas.clientWidth, height: canvas.clientHeight }))
    for (const element of [picture, image]) element.setAttribute(name, String(length));
  image.setAttribute('href', canvas.toDataURL('image/png'));
  picture.append(image);
  return picture;
}

function latentOf(manifest: ComparisonManifest, points: MapPoints, point: number) {
  const { run, seed } = points.side[point] === 0 ? manifest.a : manifest.b;
  return { run, seed, latent: points.latent[point] };
}

/** [points]: index into the palette of each point. */
function colours(points: MapPoints, colouring: Colouring): Int8Array {
  return Int8Array.from(points.x, (_, i) => {
    if (colouring === 'side') return points.side[i];
    if (colouring === 'shared') return points.shared[i];
    const stability = points.stability[i];
    if (Number.isNaN(stability)) return 0;
    return stability === 0 ? 1 : 1 + Math.max(1, Math.round(stability * steps));
  });
}

function palette(element: HTMLElement, colouring: Colouring): number[] {
  const style = getComputedStyle(element);
  const ink = (name: string) => inkOf(style.getPropertyValue(name));
  if (colouring === 'side') return [ink('--accent'), ink('--up')];
  if (colouring === 'shared') return [ink('--chart-fill'), ink('--accent')];
  const ramp = Array.from({ length: steps }, (_, step) =>
    blended(ink('--line-strong'), ink('--accent'), 0.35 + (0.65 * (step + 1)) / steps),
  );
  return [ink('--line-strong'), ink('--chart-fill'), ...ramp];
}

function featurePath(manifest: ComparisonManifest, points: MapPoints, point: number): string {
  const { run, seed, latent } = latentOf(manifest, points, point);
  return paths.feature(run, seed, latent);
}

function wordsOf(manifest: ComparisonManifest, points: MapPoints, i: number): string[] {
  const [letter, { run, seed }] = points.side[i] === 0 ? ['a', manifest.a] : ['b', manifest.b];
  const stability = points.stability[i];
  return [
    `${letter} · latent ${points.latent[i]}`,
    `${run}, seed ${seed}`,
    points.shared[i] === 1 ? 'shared with the other' : 'not shared with the other',
    ...(Number.isNaN(stability) ? [] : [`stability ${percent(stability, 0)}`]),
    ...(Number.isNaN(points.density[i])
      ? []
      : [
          `fires on ${percent(points.density[i], 2)} of tokens, up to ${significant(points.maxActivation[i])}`,
        ]),
  ];
}

function describe({ side, shared }: MapPoints): string {
  const share = (of: number) => {
    const own = shared.filter((_, i) => side[i] === of);
    return percent(own.filter((flag) => flag === 1).length / Math.max(1, own.length));
  };
  return `${share(0)} of a's and ${share(1)} of b's are shared`;
}
