/**
 * Is it their density and strength that makes some latents come back? Every latent is set beside others like it in both: nearest in the
 * plane of log density and log largest activation, each in standard deviations.
 */
import { nearestInPlane } from './nearestInPlane.ts';

/** Live latents of all seeds, in columns. */
export interface LiveLatents {
  readonly stability: Float64Array;
  readonly density: Float64Array;
  readonly strength: Float64Array;
  /** Other properties that are compared between latents that come back and their controls, by name; NaN where unknown. */
  readonly properties: Readonly<Record<string, Float64Array>>;
}

export interface MatchedDifference {
  readonly property: string;
  /** Means over paired latents that come back in every seed, and over their controls, which come back in none. */
  readonly stable: number;
  readonly control: number;
  /** 95 % interval of the mean paired difference. */
  readonly low: number;
  readonly high: number;
}

export interface MatchedControls {
  /** [latents]: mean stability of the sixteen latents nearest in density and strength. */
  readonly expected: Float64Array;
  /** Share of the variance of stability that density and strength explain: 1 − Σ(s − expected)²/Σ(s − mean)²; null where stability does not vary. */
  readonly explained: number | null;
  /** Pairs of a latent that comes back in every seed and one like it that comes back in none, each latent in one pair at most. */
  readonly pairs: number;
  readonly differences: readonly MatchedDifference[];
}

const neighbours = 16;
/** In standard deviations of log density and log strength together. */
const caliper = 0.2;

export function matchedControls(live: LiveLatents): MatchedControls {
  const { stability } = live;
  const [x, y] = [standardised(live.density), standardised(live.strength)];
  const near = nearestInPlane(x, y, neighbours);
  const expected = stability.map((_, i) => {
    const own = near.subarray(i * neighbours, (i + 1) * neighbours).filter((j) => j >= 0);
    return own.reduce((sum, j) => sum + stability[j], 0) / own.length;
  });
  const mean = meanOf(stability);
  const spread = stability.reduce((sum, s) => sum + (s - mean) ** 2, 0);
  const left = stability.reduce((sum, s, i) => sum + (s - expected[i]) ** 2, 0);
  const at = (value: number) => [...stability.keys()].filter((i) => stability[i] === value);
  const [stable, unstable] = [at(1), at(0)];
  const pairs = pairedOff(stable, unstable, [x, y]);
  return {
    expected,
    explained: spread > 0 && stability.length > neighbours ? 1 - left / spread : null,
    pairs: pairs.length,
    differences: Object.entries(live.properties).flatMap(([property, values]) =>
      differenceOf(property, values, pairs),
    ),
  };
}

/**
 * Pairs of like latents, each latent in one pair at most, the nearest first. One that is used again and again would count as many
 * observations, and one far away would be no control: those without a partner within the caliper are left out.
 */
function pairedOff(
  stable: readonly number[],
  unstable: readonly number[],
  [x, y]: readonly [Float64Array, Float64Array],
): (readonly [number, number])[] {
  const near = nearestInPlane(x, y, neighbours, { of: stable, candidates: unstable });
  const offers = stable
    .flatMap((i, at) =>
      Array.from(near.subarray(at * neighbours, (at + 1) * neighbours), (j) => ({
        i,
        j,
        distance: j < 0 ? Infinity : Math.hypot(x[i] - x[j], y[i] - y[j]),
      })),
    )
    .filter(({ distance }) => distance <= caliper)
    .sort((p, q) => p.distance - q.distance || p.i - q.i || p.j - q.j);
  const taken = new Set<number>();
  return offers.flatMap(({ i, j }) => {
    if (taken.has(i) || taken.has(j)) return [];
    taken.add(i).add(j);
    return [[i, j] as const];
  });
}

function differenceOf(
  property: string,
  values: Float64Array,
  pairs: readonly (readonly [number, number])[],
): MatchedDifference[] {
  const known = pairs.filter(([i, j]) => !Number.isNaN(values[i] + values[j]));
  if (known.length < 2) return [];
  const differences = known.map(([i, j]) => values[i] - values[j]);
  const mean = meanOf(differences);
  const variance = differences.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (known.length - 1);
  const half = 1.96 * Math.sqrt(variance / known.length);
  return [
    {
      property,
      stable: meanOf(known.map(([i]) => values[i])),
      control: meanOf(known.map(([, j]) => values[j])),
      low: mean - half,
      high: mean + half,
    },
  ];
}

function standardised(values: Float64Array): Float64Array {
  const logs = values.map(Math.log);
  const mean = meanOf(logs);
  const deviation = Math.sqrt(meanOf(logs.map((value) => (value - mean) ** 2))) || 1;
  return logs.map((value) => (value - mean) / deviation);
}

const meanOf = (values: Float64Array | readonly number[]) =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
