/** Matches of a comparison, at any order and filter, as server/queries/matches.ts has them by SQL. */
import { siteFiles } from '../../sae/spec/site/answerPlace.ts';
import { matchesKey, type AnswersFile, type MatchesFile } from '../../sae/spec/site/siteContent.ts';
import type { MatchListInput, MatchRow } from '../../server/contract/comparisons.ts';
import type { Page } from '../../server/contract/tokens.ts';
import { siteFile, unpacked } from './siteFile.ts';

interface Matches {
  file: MatchesFile;
  /** By latent. */
  rows: readonly MatchRow[];
}

const kept = new WeakMap<AnswersFile, Promise<Matches>>();

export async function matchesOf(name: string): Promise<Matches> {
  const content = await siteFile<AnswersFile>(siteFiles.comparison(name));
  const known =
    kept.get(content) ?? unpacked(content.answers[matchesKey], content.vocabulary).then(matchesIn);
  kept.set(content, known);
  return known;
}

/** Whoever wrote the site wrote matches there. */
function matchesIn(value: unknown): Matches {
  const file = value as MatchesFile;
  return { file, rows: file.rows as unknown as readonly MatchRow[] };
}

/** Whether a pair is shared, by the comparison's own threshold or another one (sae/comparison/sharedLinks.ts). */
export function isShared(
  row: MatchRow,
  { threshold: own, rounding }: Pick<MatchesFile, 'threshold' | 'rounding'>,
  threshold = own,
): boolean {
  if (threshold === own) return row.shared;
  const { decoderMatch, encoderMatch, decoderCosine, encoderCosine } = row;
  return (
    decoderMatch !== null &&
    decoderMatch === encoderMatch &&
    decoderCosine !== null &&
    encoderCosine !== null &&
    Math.min(decoderCosine, encoderCosine) >= threshold - rounding
  );
}

export async function listMatches(input: MatchListInput): Promise<Page<MatchRow>> {
  const { file, rows } = await matchesOf(input.name);
  const { threshold, shared, minCosine, maxCosine, offset, limit } = input;
  const found = rows
    .map((row) => ({ ...row, shared: isShared(row, file, threshold) }))
    .filter(
      (row) =>
        (shared === undefined || row.shared === shared) &&
        (minCosine === undefined || (row.decoderCosine !== null && row.decoderCosine >= minCosine)) &&
        (maxCosine === undefined || (row.decoderCosine !== null && row.decoderCosine <= maxCosine)),
    );
  found.sort(by(input));
  return { total: found.length, rows: found.slice(offset, offset + limit) };
}

/** Rows without a value last in either order, ties by latent. */
function by({ sort, order }: MatchListInput): (a: MatchRow, b: MatchRow) => number {
  const sign = order === 'asc' ? 1 : -1;
  return (a, b) => {
    const [x, y] = [a[sort], b[sort]];
    if (x === null || y === null) return Number(x === null) - Number(y === null) || a.latent - b.latent;
    return sign * (x - y) || a.latent - b.latent;
  };
}
