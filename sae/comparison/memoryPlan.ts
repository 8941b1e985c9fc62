/**
 * What a comparison may keep in memory. The matrix of all cosines is made whole only for narrow dictionaries; wider
 * ones keep lists of candidates, and shorter lists where less memory is allowed. Shorter lists cost time, not
 * correctness: the gap is proved for all pairs either way.
 */
import { LazyscopeError } from '../errors.ts';

export interface MemoryPlan {
  /** Whether the whole matrix of cosines is made. */
  readonly dense: boolean;
  /** Candidates kept for each row and for each column when it is not. */
  readonly perRow: number;
  readonly perColumn: number;
  /** Bytes that the comparison takes at most, the process itself included. */
  readonly bytes: number;
}

export interface Sizes {
  readonly a: number; // latents
  readonly b: number; // latents
  readonly d: number;
}

/** The whole matrix is made up to this many latents in the wider dictionary: 64 MiB, solved in a second. */
export const defaultDenseLatents = 4096;

/** Taken by Node, TF.js, DuckDB, their libraries and buffers of activations. Measured: 210 to 330 MiB. */
const processBytes = 384 * 2 ** 20;
/** Bytes for each candidate: index and score in the list it was found in, its merged and transposed copies, and the auction's own arrays. */
const candidateBytes = 56;
const rowChoices = [32, 16, 8, 4] as const;

/** The plan that fits into `budget` bytes. Throws 'bad_input' when none does, with the number of bytes that would do. */
export function planMemory(
  { a, b, d }: Sizes,
  { budget = Infinity, denseLatents = defaultDenseLatents }: { budget?: number; denseLatents?: number } = {},
): MemoryPlan {
  // Encoder and decoder of both dictionaries; for one of the two at a time its unit rows and the rows that dualCheck.ts multiplies
  // again; and b's unit rows in 16-bit integers.
  const base = processBytes + 4 * d * (a + b) * (2 + 2) + 2 * d * Math.max(a, b);
  const denseBytes = base + 3 * 4 * a * b;
  if (Math.max(a, b) <= denseLatents && denseBytes <= budget)
    return { dense: true, perRow: 0, perColumn: 0, bytes: denseBytes };
  const plans = rowChoices.map((perRow) => {
    const perColumn = perRow / 2;
    const bytes = base + candidateBytes * (Math.min(a, b) * perRow + Math.max(a, b) * perColumn);
    return { dense: false, perRow, perColumn, bytes };
  });
  const plan = plans.find(({ bytes }) => bytes <= budget);
  if (plan) return plan;
  const least = Math.ceil(plans[plans.length - 1].bytes / 1e6);
  throw new LazyscopeError(
    'bad_input',
    `Comparing ${a} with ${b} latents of width ${d} takes ${least} MB at least: allow that much with --memory ${least}MB.`,
  );
}
