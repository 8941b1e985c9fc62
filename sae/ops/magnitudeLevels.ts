/**
 * Tables that tell how many of a few thresholds the magnitude of a single-precision number exceeds. The bits of |a|, read as an
 * integer, are in the order of |a|, so two look-ups by the highest bits and one comparison suffice; comparing with each
 * threshold would take most of the time of counting.
 */
import { LazyscopeError } from '../errors.ts';

/** Number of low bits that do not choose the bin, which leaves eight bins for each power of two. */
export const binShift = 20;
const bins = 1 << (31 - binShift);

export interface MagnitudeLevels {
  /** [bins]: thresholds exceeded by every number of the bin. */
  readonly level: Uint8Array;
  /** [bins]: a number of the bin whose bits are above this exceeds one threshold more. */
  readonly edge: Int32Array;
}

/** The level of |a| is level[b >> binShift] + (b > edge[b >> binShift] ? 1 : 0), b the bits of a without the sign. */
export function magnitudeLevels(thresholds: readonly number[]): MagnitudeLevels {
  const level = new Uint8Array(bins);
  const edge = new Int32Array(bins).fill(0x7fffffff);
  const single = new Float32Array(1);
  const bits = new Int32Array(single.buffer);
  thresholds.forEach((threshold, t) => {
    if (!(threshold >= 0) || (t > 0 && threshold <= thresholds[t - 1]))
      throw new LazyscopeError(
        'bad_input',
        `Thresholds must ascend from 0 or more, but got ${thresholds.join(', ')}.`,
      );
    single[0] = threshold;
    // If rounding to single precision raised the threshold, the rounded number itself exceeds the threshold.
    const last = single[0] > threshold ? bits[0] - 1 : bits[0];
    const bin = last >> binShift;
    if (edge[bin] !== 0x7fffffff)
      throw new LazyscopeError(
        'bad_input',
        `Thresholds ${thresholds[t - 1]} and ${threshold} are less than an eighth apart.`,
      );
    edge[bin] = last;
    for (let above = bin + 1; above < bins; above++) level[above]++;
  });
  return { level, edge };
}
