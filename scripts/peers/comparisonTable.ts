/** Measured rounds as a table, and tables as sections of a Markdown file. */
import type { Figures } from './comparisonSubjects.ts';

export interface Comparison {
  subject: string;
  title: string;
  unit: string;
  higherIsBetter: boolean;
  rounds: { ours: Figures; theirs: Figures }[];
  versions: Record<string, string>;
  commands: string[];
  machine: string;
  threads: number;
  date: string;
  commit: string;
}

export interface Row {
  name: string;
  /** Over the rounds. */
  median: number;
  /** How many times faster the first way of ours is, round by round; absent for that way itself. */
  ratio?: { median: number; least: number; greatest: number };
}

export function rowsOf({ rounds, higherIsBetter }: Comparison): Row[] {
  const [first, ...others] = Object.keys(rounds[0].ours);
  const own = rounds.map(({ ours }) => ours[first]);
  const row = (name: string, side: 'ours' | 'theirs'): Row => {
    const values = rounds.map((round) => round[side][name]);
    const ratios = values.map((value, i) => (higherIsBetter ? own[i] / value : value / own[i]));
    return {
      name,
      median: medianOf(values),
      ratio: { median: medianOf(ratios), least: Math.min(...ratios), greatest: Math.max(...ratios) },
    };
  };
  const theirs = Object.keys(rounds[0].theirs).map((name) => row(name, 'theirs'));
  theirs.sort((a, b) => (higherIsBetter ? b.median - a.median : a.median - b.median));
  return [{ name: first, median: medianOf(own) }, ...others.map((name) => row(name, 'ours')), ...theirs];
}

export function tableOf(comparison: Comparison): string {
  const lines = rowsOf(comparison).map(({ name, median, ratio }) => {
    const said = ratio
      ? `${ratio.median.toFixed(2)} (${ratio.least.toFixed(2)} – ${ratio.greatest.toFixed(2)})`
      : '';
    return `| ${name} | ${median >= 100 ? Math.round(median).toLocaleString('en') : median.toFixed(1)} | ${said} |`;
  });
  const [first] = Object.keys(comparison.rounds[0].ours);
  const relation = comparison.subject === 'seeds' ? `× ${first}` : `${first} is … times as fast`;
  return [
    `### ${comparison.title}`,
    '',
    `| | ${comparison.unit}, median of ${comparison.rounds.length} | ${relation} |`,
    '| --- | ---: | ---: |',
    ...lines,
    '',
  ].join('\n');
}

export function sectionOf(comparison: Comparison, note?: string): string {
  const { machine, threads, date, commit, versions, commands } = comparison;
  const libraries = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    tableOf(comparison),
    `${[`${date} UTC`, machine, `${threads} threads`, `commit ${commit}`, ...libraries].join(' · ')}.${note ? ` ${note}` : ''}`,
    '',
    '```sh',
    ...commands,
    '```',
    '',
  ].join('\n');
}

/** Puts a section between its marks in `text`; at the end where there are none. */
export function replaceSection(text: string, name: string, section: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const whole = `${begin}\n\n${section}\n${end}\n`;
  const from = text.indexOf(`${begin}\n`);
  const to = text.indexOf(`${end}\n`, from);
  if (from >= 0 && to >= 0) return text.slice(0, from) + whole + text.slice(to + end.length + 1);
  return text === '' ? whole : `${text.trimEnd()}\n\n${whole}`;
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}
