/** Tables and plots of the cross-seed study, from what was stored. */
import {
  type ArchitectureName,
  settingOf,
  type TrainingConfig,
} from '../../sae/spec/architectures/architectures.ts';
import type { ComparisonChance } from '../../sae/spec/manifests/comparison.ts';
import { architectures, studyPlot, type PlotLine } from './studyPlot.ts';
import type { StudyRun } from './studyRuns.ts';

/** The configuration around which the others vary. */
const middle = { width: 1024, tokens: 1_200_000 };
/** How the study varies the sparsity of each architecture, how its tables write it, and the value in the middle. */
const sparsities: Partial<Record<ArchitectureName, { setting: string; symbol: string; middle: number }>> = {
  topk: { setting: 'k', symbol: 'k', middle: 32 },
  relu: { setting: 'sparsityCoefficient', symbol: 'λ', middle: 0.5 },
  jumprelu: { setting: 'targetL0', symbol: 'L0*', middle: 32 },
};

interface Figures {
  l0: number;
  fvu: number;
  dead: number;
  shared: number;
  low: number;
  high: number;
  decoder: number;
  encoder: number;
  mmcs: number;
  pwMcc: number;
  /** What random directions with the covariance of the activations reach; `beyond` is the share of pairs nearer than chance explains. */
  chance: { shared: number; mmcs: number; pwMcc: number; beyond: number };
}

function figures({ evaluations, comparisons }: StudyRun): Figures {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const shares = comparisons.map(({ shared }) => shared);
  const byChance = (of: (chance: ComparisonChance) => number | undefined) =>
    mean(comparisons.map(({ chance }) => (chance && of(chance)) ?? Number.NaN));
  return {
    l0: mean(evaluations.map(({ l0 }) => l0)),
    fvu: mean(evaluations.map(({ fvu }) => fvu ?? Number.NaN)),
    dead: mean(evaluations.map(({ deadFraction }) => deadFraction)),
    shared: mean(shares),
    low: Math.min(...shares),
    high: Math.max(...shares),
    decoder: mean(comparisons.map(({ sharedDecoder }) => sharedDecoder)),
    encoder: mean(comparisons.map(({ sharedEncoder }) => sharedEncoder)),
    mmcs: mean(comparisons.map(({ mmcs }) => mmcs)),
    pwMcc: mean(comparisons.map(({ pwMcc }) => pwMcc)),
    chance: {
      shared: byChance(({ covariance }) => covariance?.shared),
      mmcs: byChance(({ covariance }) => covariance?.mmcs),
      pwMcc: byChance(({ covariance }) => covariance?.pwMcc),
      beyond: byChance(({ beyond }) => beyond.share),
    },
  };
}

function sparsityOf(config: TrainingConfig): number {
  const setting = sparsities[config.architecture]?.setting;
  return setting === undefined ? NaN : (settingOf(config, setting) ?? NaN);
}

const sparsityLabel = (config: TrainingConfig) =>
  `${sparsities[config.architecture]?.symbol ?? config.architecture} = ${sparsityOf(config)}`;

/** The three ways to cut through the grid: two of width, sparsity and length held in the middle. */
const cuts = [
  { name: 'width', title: 'Width', varies: (c: TrainingConfig) => c.width },
  { name: 'sparsity', title: 'Sparsity', varies: sparsityOf },
  { name: 'length', title: 'Length of training', varies: (c: TrainingConfig) => c.tokens },
] as const;

function inCut(config: TrainingConfig, cut: (typeof cuts)[number]['name']): boolean {
  return (
    (cut === 'width' || config.width === middle.width) &&
    (cut === 'length' || config.tokens === middle.tokens) &&
    (cut === 'sparsity' || sparsityOf(config) === sparsities[config.architecture]?.middle)
  );
}

function membersOf(runs: readonly StudyRun[], cut: (typeof cuts)[number]) {
  return architectures.map((architecture) => ({
    ...architecture,
    runs: runs
      .filter(({ config }) => config.architecture === architecture.key && inCut(config, cut.name))
      .map((run) => ({ run, ...figures(run) }))
      .sort((a, b) =>
        cut.name === 'sparsity' ? a.l0 - b.l0 : cut.varies(a.run.config) - cut.varies(b.run.config),
      ),
  }));
}

/** A dash stands for what a comparison of an earlier version did not measure. */
const percent = (share: number, digits = 1) =>
  Number.isNaN(share) ? '–' : `${(100 * share).toFixed(digits)} %`;
const figure = (value: number) => (Number.isNaN(value) ? '–' : value.toFixed(3));
const count = (value: number) => value.toLocaleString('en-US');

export function studyTables(runs: readonly StudyRun[]): string {
  const tables = cuts.map((cut) => {
    const rows = membersOf(runs, cut).flatMap(({ name, runs: members }) =>
      members.map((f) => {
        const { config } = f.run;
        const cells = [
          name,
          sparsityLabel(config),
          count(config.width),
          count(config.tokens),
          f.l0.toFixed(1),
          f.fvu.toFixed(3),
          percent(f.dead),
          `${percent(f.shared)} (${(100 * f.low).toFixed(1)}–${(100 * f.high).toFixed(1)})`,
          percent(f.decoder),
          percent(f.encoder),
          percent(f.chance.shared, 2),
          f.mmcs.toFixed(3),
          figure(f.chance.mmcs),
          f.pwMcc.toFixed(3),
          figure(f.chance.pwMcc),
          percent(f.chance.beyond),
        ];
        return `| ${cells.join(' | ')} |`;
      }),
    );
    return [
      `## ${cut.title}`,
      '',
      `| architecture | setting | latents | tokens | L0 | FVU | dead | shared (range over pairs) | decoder alone | encoder alone | by chance at most | MMCS | by chance | PW-MCC | by chance | nearer than chance |`,
      `| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |`,
      ...rows,
    ].join('\n');
  });
  return [
    '<!-- Written by crossSeed.ts; see cross-seed.md for what it says. -->',
    '',
    '# Results of the cross-seed study',
    '',
    'Means over three seeds, or over their three pairs. Shared: same counterpart in both matchings, both cosines ≥ 0.7. By chance: random directions with the covariance of the activations, as many as there are latents; the share is that of either matching alone. Nearer than chance: pairs of decoder rows, at a false discovery rate of 5 %.',
    '',
    tables.join('\n\n'),
    '',
  ].join('\n');
}

/** The name and the SVG of each plot. */
export function studyPlots(runs: readonly StudyRun[]): [string, string][] {
  const axes = {
    width: { label: 'latents', format: count },
    sparsity: { label: 'L0, measured', format: (value: number) => String(Math.round(value)) },
    length: { label: 'training tokens', format: (value: number) => `${value / 1e6} M` },
  };
  return cuts.map((cut) => {
    const lines = membersOf(runs, cut)
      .filter(({ runs: members }) => members.length > 0)
      .map(({ name, colour, runs: members }): PlotLine => ({
        name,
        colour,
        points: members.map((f) => ({
          x: cut.name === 'sparsity' ? f.l0 : cut.varies(f.run.config),
          y: f.shared,
          low: f.low,
          high: f.high,
        })),
      }));
    const svg = studyPlot(lines, {
      title: `Shared between two seeds, by ${cut.title.toLowerCase()}`,
      x: axes[cut.name],
    });
    return [cut.name, svg];
  });
}
