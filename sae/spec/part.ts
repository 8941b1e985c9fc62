/**
 * One part of work that several processes share, `2/5`. The work is cut into blocks by its data alone, and part n of N has every
 * N-th block from the n-th on: so what a block holds doesn't depend on the number of parts, and a part that is missing costs time only.
 */
export interface Part {
  /** From 1 to `of`. */
  readonly number: number;
  readonly of: number;
}

export const mostParts = 1000;
/** Completes "--part …". */
export const partRule = `takes n/N, part n of N: 1/4 to 4/4, and at most ${mostParts} of them, or 'rank' under mpirun or srun`;

/** Undefined for what is no part. */
export function parsePart(text: string): Part | undefined {
  const [, number, of] = (/^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? []).map(Number);
  return of >= 1 && of <= mostParts && number >= 1 && number <= of ? { number, of } : undefined;
}

export function printPart({ number, of }: Part): string {
  return `${number}/${of}`;
}

/** Whether block `at`, counted from 0, belongs to the part. */
export function isOfPart(at: number, { number, of }: Part): boolean {
  return at % of === number - 1;
}
