/**
 * The table and the plot of demo-choice.md, from what `lazyscope stability --json` printed into the files that are given:
 * FVU against what comes back beyond chance, a line for each architecture and width.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { studyPlot, type PlotLine } from './studyPlot.ts';

const folder = dirname(fileURLToPath(import.meta.url));

const sweptSchema = z.object({
  threshold: z.number(),
  rows: z.array(
    z.object({
      architecture: z.enum(['topk', 'relu', 'jumprelu']),
      width: z.int(),
      tokens: z.int(),
      l0: z.number(),
      fvu: z.number(),
      ceRecovered: z.number(),
      deadFraction: z.number(),
      comesBack: z.number(),
      byChance: z.number(),
      beyondChance: z.number(),
      significant: z.number(),
    }),
  ),
});
type Row = z.infer<typeof sweptSchema>['rows'][number];

const architectures: Readonly<Record<Row['architecture'], { name: string; colours: readonly string[] }>> = {
  topk: { name: 'TopK', colours: ['#e08a4e', '#b94a08', '#6f2c05'] },
  relu: { name: 'ReLU', colours: ['#5ea3dc', '#1767a8', '#0d3d64'] },
  jumprelu: { name: 'JumpReLU', colours: ['#4fae8f', '#0b7254', '#064532'] },
};
const widths = [256, 512, 1024];

/** What a dictionary of the demo must reach: FVU at most, cross-entropy recovered at least. */
const needed = { fvu: 0.25, ceRecovered: 0.9 };

const files = process.argv.slice(2);
if (files.length === 0)
  throw new Error('Give the files that `lazyscope stability --json` printed: see demo-choice.md.');
const swept = await Promise.all(
  files.map(async (file) => sweptSchema.parse(JSON.parse(await readFile(file, 'utf8')))),
);
const rows = swept.flatMap((one) => one.rows);
await writeFile(join(folder, 'demo-choice.results.md'), tables(rows));
await writeFile(join(folder, 'demo-choice.svg'), plot(rows));

function tables(all: readonly Row[]): string {
  const percent = (share: number, digits = 1) => `${(100 * share).toFixed(digits)} %`;
  const lines = (Object.keys(architectures) as Row['architecture'][]).flatMap((architecture) =>
    all
      .filter((row) => row.architecture === architecture)
      .sort((a, b) => a.tokens - b.tokens || a.width - b.width || a.l0 - b.l0)
      .map((row) => {
        const fits = row.fvu <= needed.fvu && row.ceRecovered >= needed.ceRecovered;
        return `| ${[
          architectures[architecture].name,
          row.width.toLocaleString('en-US'),
          `${(row.tokens / 1e6).toFixed(1)} M`,
          row.l0.toFixed(1),
          row.fvu.toFixed(3),
          percent(row.ceRecovered),
          percent(row.deadFraction),
          percent(row.comesBack),
          percent(row.byChance, 2),
          percent(row.beyondChance),
          percent(row.significant),
          fits ? 'yes' : 'no',
        ].join(' | ')} |`;
      }),
  );
  return [
    '<!-- Written by demoChoice.ts; see demo-choice.md for what it says. -->',
    '',
    '# Results of the choice of the demo’s settings',
    '',
    `Means over three seeds, or over their three pairs. Shared: same counterpart in both matchings, both cosines ≥ ${swept[0].threshold}.`,
    '',
    '| architecture | latents | tokens | L0 | FVU | CE recovered | dead | shared | by chance | beyond chance | p < q | reconstructs well enough |',
    '| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --- |',
    ...lines,
    '',
  ].join('\n');
}

function plot(all: readonly Row[]): string {
  const lines = Object.entries(architectures).flatMap(([architecture, { name, colours }]) =>
    widths.flatMap((width, i): PlotLine[] => {
      const own = all
        .filter((row) => row.architecture === architecture && row.width === width)
        .sort((a, b) => a.fvu - b.fvu);
      const points = own.map(({ fvu: x, beyondChance: y }) => ({ x, y, low: y, high: y }));
      return own.length === 0 ? [] : [{ name: `${name} ${width}`, colour: colours[i], points }];
    }),
  );
  return studyPlot(lines, {
    title: 'Shared between two seeds beyond chance, by FVU',
    x: { label: 'FVU', format: (value) => value.toFixed(2) },
  });
}
