/** Measured rounds as a table, and tables as sections of a Markdown file. */
import { type Figures, floor } from './comparisonSubjects.ts';

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
  /** The highest one-minute load average after a round: how far others used the machine too. */
  load: number;
  date: string;
  commit: string;
}

export interface Row {
  name: string;
  /** Over the rounds. */
  median: number;
  /** How many times as fast each of our variants is, round by round; null for that variant itself. */
  ratios: ({ median: number; least: number; greatest: number } | null)[];
}

function waysOf({ rounds }: Comparison): string[] {
  return Object.keys(rounds[0].ours).filter((name) => name !== floor);
}

/** Our variants in the order given, then the others from the fastest on. */
export function rowsOf(comparison: Comparison): Row[] {
  const { rounds, higherIsBetter } = comparison;
  const row = (name: string, side: 'ours' | 'theirs'): Row => {
    const values = rounds.map((round) => round[side][name]);
    const ratios = waysOf(comparison).map((way) => {
      if (way === name) return null;
      const each = values.map((value, i) =>
        higherIsBetter ? rounds[i].ours[way] / value : value / rounds[i].ours[way],
      );
      return { median: medianOf(each), least: Math.min(...each), greatest: Math.max(...each) };
    });
    return { name, median: medianOf(values), ratios };
  };
  const theirs = Object.keys(rounds[0].theirs).map((name) => row(name, 'theirs'));
  theirs.sort((a, b) => (higherIsBetter ? b.median - a.median : a.median - b.median));
  return [...Object.keys(rounds[0].ours).map((name) => row(name, 'ours')), ...theirs];
}

export function tableOf(comparison: Comparison): string {
  const ways = waysOf(comparison);
  const columns = ways.map((way) =>
    comparison.subject === 'seeds' ? `× ${way}` : `${way} is … times as fast`,
  );
  const lines = rowsOf(comparison).map(({ name, median, ratios }) => {
    const said = ratios.map((ratio) =>
      ratio ? `${ratio.median.toFixed(2)} (${ratio.least.toFixed(2)} – ${ratio.greatest.toFixed(2)})` : '',
    );
    const figure = median >= 100 ? Math.round(median).toLocaleString('en') : median.toFixed(1);
    return `| ${[name, figure, ...said].join(' | ')} |`;
  });
  return [
    `### ${comparison.title}`,
    '',
    `| | ${[`${comparison.unit}, median of ${comparison.rounds.length}`, ...columns].join(' | ')} |`,
    `| --- | ---: |${' ---: |'.repeat(ways.length)}`,
    ...lines,
    '',
  ].join('\n');
}

export function sectionOf(comparison: Comparison, note?: string): string {
  const { machine, threads, load, date, commit, versions, commands } = comparison;
  const libraries = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    tableOf(comparison),
    `${[`${date} UTC`, machine, `${threads} threads`, `load average up to ${load.toFixed(1)}`, `commit ${commit}`, ...libraries].join(' · ')}.${note ? ` ${note}` : ''}`,
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
