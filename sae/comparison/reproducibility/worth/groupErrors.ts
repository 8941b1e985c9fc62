/** The squared error of a reconstruction without a group of latents, and with that group alone, for several ways to form groups at once. */
import type { CodedRows } from './heldOutCodes.ts';

/** Sums over rows, by context of the first way to form groups. */
export interface GroupErrors {
  /** [ways][groups]: Σ‖x − x̂‖² with the group's activations set to 0, and with those of all others set to 0. */
  readonly ablated: readonly Float64Array[];
  readonly kept: readonly Float64Array[];
  /** [groups][contexts] of the first way. */
  readonly ablatedByContext: readonly Float64Array[];
  readonly keptByContext: readonly Float64Array[];
  /** [contexts]: Σ‖x − x̂‖² with every latent, Σ‖x − b_dec‖² without any, and Σ‖x − x̄‖². */
  readonly whole: Float64Array;
  readonly none: Float64Array;
  readonly variance: Float64Array;
}

export interface GroupErrorOptions {
  readonly wDec: Float32Array; // [latents, d]
  readonly d: number;
  /** x̄ [d] */
  readonly mean: Float32Array;
  readonly groups: number;
  /** [latents] each: the group of every latent, −1 for none. A latent of no group is off where a group alone is kept. */
  readonly ways: readonly Int8Array[];
  /** The context of a held-out row, from 0, and how many there are. */
  readonly contextOf: (row: number) => number;
  readonly contexts: number;
}

/** The sums over all of `coded`. One pass serves all ways, which costs them a few multiplications each. */
export async function groupErrors(
  coded: AsyncIterable<CodedRows>,
  { wDec, d, mean, groups, ways, contextOf, contexts }: GroupErrorOptions,
): Promise<GroupErrors> {
  const zeros = (count: number, length: number) =>
    Array.from({ length: count }, () => new Float64Array(length));
  const sums: GroupErrors = {
    ablated: zeros(ways.length, groups),
    kept: zeros(ways.length, groups),
    ablatedByContext: zeros(groups, contexts),
    keptByContext: zeros(groups, contexts),
    whole: new Float64Array(contexts),
    none: new Float64Array(contexts),
    variance: new Float64Array(contexts),
  };
  /** [groups, d]: what each group adds to x̂. */
  const parts = new Float64Array(groups * d);
  const all = new Float64Array(d);
  for await (const { first, x, xHat, code } of coded)
    for (let row = 0; row < code.rows; row++) {
      const context = contextOf(first + row);
      const base = row * d;
      all.fill(0);
      for (let e = code.rowStart[row]; e < code.rowStart[row + 1]; e++)
        addRow(all, 0, wDec, code.indices[e] * d, code.values[e], d);
      let [whole, none, variance] = [0, 0, 0];
      for (let j = 0; j < d; j++) {
        const error = x[base + j] - xHat[base + j];
        whole += error * error;
        none += (error + all[j]) ** 2;
        variance += (x[base + j] - mean[j]) ** 2;
      }
      sums.whole[context] += whole;
      sums.none[context] += none;
      sums.variance[context] += variance;
      ways.forEach((way, w) => {
        parts.fill(0);
        for (let e = code.rowStart[row]; e < code.rowStart[row + 1]; e++) {
          const group = way[code.indices[e]];
          if (group >= 0) addRow(parts, group * d, wDec, code.indices[e] * d, code.values[e], d);
        }
        for (let group = 0; group < groups; group++) {
          let [ablated, kept] = [0, 0];
          for (let j = 0; j < d; j++) {
            const error = x[base + j] - xHat[base + j];
            const part = parts[group * d + j];
            ablated += (error + part) ** 2;
            kept += (error + all[j] - part) ** 2;
          }
          sums.ablated[w][group] += ablated;
          sums.kept[w][group] += kept;
          if (w > 0) continue;
          sums.ablatedByContext[group][context] += ablated;
          sums.keptByContext[group][context] += kept;
        }
      });
    }
  return sums;
}

function addRow(
  to: Float64Array,
  at: number,
  wDec: Float32Array,
  from: number,
  factor: number,
  d: number,
): void {
  for (let j = 0; j < d; j++) to[at + j] += factor * wDec[from + j];
}
