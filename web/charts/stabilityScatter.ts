import { count, percent, significant } from '../format/number.ts';
import { chart, type ChartSize } from './chartFrame.ts';
import { densityTick } from './densityHistogram.ts';
import { logTicks } from './logTicks.ts';
import { pngImage } from './pngImage.ts';
import { blended, paintPoints, type PlaneView, type PointCloud } from './pointCloud.ts';

/** Latents in columns, as the server's Arrow table has them. */
export interface StabilityPoints {
  seed: Float32Array;
  latent: Float32Array;
  density: Float32Array;
  stability: Float32Array;
  maxActivation: Float32Array;
}

/** Colours as numbers with RGBA in the canvas's byte order. */
export interface ScatterInks {
  shared: number;
  /** The background, towards which the colour of latents shared with few seeds fades. */
  ground: number;
  orphan: number;
}

/** Pixels of the image for each CSS pixel, for screens of high resolution. */
const sharpness = 2;
const margin = { top: 26, right: 14, bottom: 38, left: 46 };
/** Steps from shared with few to shared with all. */
const steps = 4;

/** Positions of the latents on a chart of this size, in CSS pixels, with y measured upwards from the lower edge. */
export function scatterPlane(points: StabilityPoints, { width, height }: { width: number; height: number }) {
  const { density, maxActivation, stability } = points;
  const drawn = Uint8Array.from(density, (value, i) => Number(value > 0 && maxActivation[i] > 0));
  let [low, weakest, strongest] = [-3, Infinity, 0];
  drawn.forEach((there, i) => {
    if (there === 0) return;
    low = Math.min(low, Math.floor(Math.log10(density[i])));
    weakest = Math.min(weakest, maxActivation[i]);
    strongest = Math.max(strongest, maxActivation[i]);
  });
  if (!(strongest > weakest)) [weakest, strongest] = [strongest / 2 || 1, strongest * 2 || 10];
  const box = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
  const span = Math.log(strongest / weakest);
  const cloud: PointCloud = {
    x: density.map((value) => margin.left + (1 - Math.log10(value) / low) * box.width),
    y: maxActivation.map((value) => margin.bottom + (Math.log(value / weakest) / span) * box.height),
  };
  const view: PlaneView = { x: width / 2, y: height / 2, scale: 1 };
  /** Colour index of each latent: −1 for values that a logarithmic axis cannot show, 0 for orphans, higher for latents shared with more seeds. */
  const colour = Int8Array.from(drawn, (there, i) => {
    if (there === 0) return -1;
    return stability[i] > 0 ? Math.max(1, Math.round(stability[i] * steps)) : 0;
  });
  return { cloud, view, colour, low, strengths: [weakest, strongest] as const };
}

/**
 * Scatter plot of all latents by density and largest activation: orphans are crosses in the warning colour, and shared latents
 * squares in the architecture's colour, stronger where more seeds share them. It is drawn as an image, because there may be a hundred
 * thousand latents; StabilityCloud.tsx handles the pointer.
 */
export function stabilityScatter(
  points: StabilityPoints,
  { inks, ...size }: ChartSize & { inks: ScatterInks },
): SVGSVGElement {
  const { cloud, view, colour, low, strengths } = scatterPlane(points, size);
  const orphans = medianDensity(points, colour, (layer) => layer === 0);
  const shared = medianDensity(points, colour, (layer) => layer > 0);
  const [width, height] = [Math.round(size.width * sharpness), Math.round(size.height * sharpness)];
  const pixels = new Uint32Array(width * height);
  const ramp = Array.from({ length: steps }, (_, step) =>
    blended(inks.ground, inks.shared, 0.3 + (0.7 * (step + 1)) / steps),
  );
  paintPoints(
    { pixels, width, height },
    cloud,
    { ...view, scale: sharpness },
    {
      colour,
      palette: [inks.orphan, ...ramp],
      shape: Uint8Array.from(colour, (layer) => Number(layer === 0)),
      reach: cloud.x.length > 20_000 ? 1 : 3,
    },
  );
  const picture = chart(
    size,
    {
      label: 'Latents by density and strongest activation, orphans apart from shared ones',
      description: `${count(orphans.latents)} of ${count(orphans.latents + shared.latents)} latents are shared with no other seed; median density ${percent(orphans.median)} against ${percent(shared.median)} of the shared ones.`,
    },
    {
      marginTop: margin.top,
      marginRight: margin.right,
      marginBottom: margin.bottom,
      marginLeft: margin.left,
      x: {
        label: 'density (log) →',
        domain: [low, 0],
        ticks: Array.from({ length: 1 - low }, (_, index) => low + index),
        tickFormat: densityTick,
      },
      y: {
        type: 'log',
        label: '↑ strongest activation (log)',
        grid: true,
        domain: strengths,
        ticks: logTicks(...strengths),
        tickFormat: (value: number) => significant(value, 2),
      },
      marks: [],
    },
  );
  const image = picture.ownerDocument.createElementNS('http://www.w3.org/2000/svg', 'image');
  image.setAttribute('width', String(size.width));
  image.setAttribute('height', String(size.height));
  image.setAttribute('href', pngImage({ pixels, width, height }));
  picture.append(image);
  return picture;
}

function medianDensity(
  { density }: StabilityPoints,
  colour: Int8Array,
  of: (layer: number) => boolean,
): { latents: number; median: number } {
  const values = density.filter((_, i) => colour[i] >= 0 && of(colour[i])).sort();
  return { latents: values.length, median: values[values.length >> 1] ?? NaN };
}
