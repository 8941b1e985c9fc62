import type { SearchRow } from '../../../server/client.ts';
import { count } from '../../format/number.ts';

/** In a few words, what a feature has to do with what was searched for. */
export function MatchLine({ row }: { row: Pick<SearchRow, 'byLabel' | 'match' | 'firesOn' | 'promotes'> }) {
  return <span className="small muted num">{matchWords(row).join(' · ')}</span>;
}

export function matchWords({
  byLabel,
  match,
  firesOn,
  promotes,
}: Pick<SearchRow, 'byLabel' | 'match' | 'firesOn' | 'promotes'>): string[] {
  const words: string[] = [];
  if (byLabel) words.push('in its label');
  if (match) {
    words.push(`${count(match.examples)} ${match.examples === 1 ? 'example' : 'examples'}`);
    if (match.peaks > 0) words.push(`strongest on it in ${count(match.peaks)}`);
  }
  if (firesOn) words.push('a token it fires on');
  if (promotes) words.push('a token it promotes');
  return words;
}
