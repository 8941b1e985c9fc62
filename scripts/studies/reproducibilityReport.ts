/** Tables of the reproducibility study. */
import type { Worth } from '../../sae/spec/reproducibility/worth.ts';
import {
  blockOf,
  isMeasured,
  type KeptReproducibility,
  type MeasuredRow,
  type ReproducibilityRow,
  type Spread,
} from './reproducibilityRow.ts';
import { architectures } from './studyPlot.ts';

const percent = (share: number, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const count = (value: number) => value.toLocaleString('en-US');
const range = ({ mean, low, high }: Spread) =>
  `${percent(mean)} (${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)})`;
/** Chances are small: two figures of them, and no zero that is none. */
const chance = (share: number) => (share < 1e-5 ? '< 0.001 %' : `${Number((100 * share).toPrecision(2))} %`);
const small = (value: number) => (value === 0 ? '0' : value.toPrecision(2));

const architectureOf = ({ architecture }: ReproducibilityRow) =>
  architectures.find(({ key }) => key === architecture)?.name ?? architecture;

/** What tells a run from the others, first in every row. */
const heads = ['text', 'block', 'architecture', 'latents', 'tokens', 'k or L0*'];
const alignments = ['---', '--:', '---', '--:', '--:', '--:'];
const headOf = (row: ReproducibilityRow) => [
  row.text.replace('dataset:', ''),
  String(blockOf(row)),
  architectureOf(row),
  count(row.width),
  count(row.tokens),
  String(row.sparsity),
];

function table<Row extends ReproducibilityRow>(
  rows: readonly Row[],
  columns: readonly [name: string, cell: (row: Row) => string][],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line([...heads, ...columns.map(([name]) => name)]),
    line([...alignments, ...columns.map(() => '--:')]),
    ...rows.map((row) => line([...headOf(row), ...columns.map(([, cell]) => cell(row))])),
  ].join('\n');
}

function worthTable({ groups, whole }: Worth): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const beside = ({ change, least, most }: Worth['groups'][number]['ablated']['fvu']) =>
    `${small(change)} (${small(least)} to ${small(most)})`;
  return [
    `FVU of the whole dictionary ${whole.fvu.toFixed(3)}, without any latent ${whole.fvuWithout.toFixed(3)}; all latents set to 0 cost ${whole.crossEntropyChange.toFixed(3)} nats.`,
    '',
    line(['tenth', 'stability', 'density', 'FVU +', 'CE +', 'KL', 'alone: FVU +', 'alone: CE +']),
    line(['--:', '--:', '--:', '--:', '--:', '--:', '--:', '--:']),
    ...groups.map(({ stability, density, ablated, kept }, at) =>
      line([
        String(at + 1),
        percent(stability),
        percent(density, 2),
        beside(ablated.fvu),
        beside(ablated.crossEntropy),
        beside(ablated.divergence),
        beside(kept.fvu),
        beside(kept.crossEntropy),
      ]),
    ),
  ].join('\n');
}

/** A heading, what stands below it and a table; nothing where there are no rows. */
function section<Row extends ReproducibilityRow>(
  { title, says = [], rows }: { title: string; says?: string[]; rows: readonly Row[] },
  columns: Parameters<typeof table<Row>>[1],
): string[] {
  if (rows.length === 0) return [];
  return [`## ${title}`, '', ...says.flatMap((line) => [line, '']), table(rows, columns), ''];
}

/** Results as Markdown. */
export function reproducibilityTables(rows: readonly ReproducibilityRow[]): string {
  const measured = rows.filter(isMeasured);
  const seedCounts = [
    ...new Set(measured.flatMap(({ seeds }) => Array.from({ length: seeds - 1 }, (_, i) => i + 2))),
  ];
  const withSubspaces = measured.filter((row) => row.reproducibility.subspaces);
  const subspaces =
    (of: (found: NonNullable<KeptReproducibility['subspaces']>) => string) => (row: MeasuredRow) =>
      row.reproducibility.subspaces ? of(row.reproducibility.subspaces) : '';
  return [
    '<!-- Written by smollm2Reproducibility.ts; see smollm2-reproducibility.md for what it says. -->',
    '',
    '# Results of the reproducibility study on SmolLM2-135M-Instruct',
    '',
    'Definitions: sections 2, 3, 7 and 9 of the methods. In brackets the least and the most over seeds or over pairs of seeds.',
    '',
    ...section({ title: 'The dictionaries, on held-out tokens: means over seeds', rows }, [
      ['held-out tokens', ({ evaluated }) => count(evaluated)],
      ['predictions', ({ predicted }) => count(predicted)],
      ['L0', ({ l0 }) => l0.mean.toFixed(1)],
      ['FVU', ({ fvu }) => fvu.mean.toFixed(3)],
      ['CE recovered', ({ ceRecovered }) => percent(ceRecovered.mean)],
      ['dead', ({ dead }) => percent(dead.mean, 2)],
    ]),
    ...section(
      {
        title: 'Two seeds: means over pairs',
        says: [
          'Shared: the same counterpart in both matchings, both cosines ≥ 0.7. By chance: random directions with the covariance of the activations.',
        ],
        rows,
      },
      [
        ['shared', ({ shared }) => range(shared)],
        ['by chance', ({ shared }) => chance(shared.chance)],
        ['decoder alone', ({ decoderAlone }) => percent(decoderAlone.mean)],
        ['encoder alone', ({ encoderAlone }) => percent(encoderAlone.mean)],
        ['MMCS', ({ mmcs }) => mmcs.mean.toFixed(3)],
        ['by chance', ({ mmcs }) => mmcs.chance.toFixed(3)],
        ['rotated', ({ mmcs }) => mmcs.rotated?.toFixed(3) ?? '–'],
        ['PW-MCC', ({ pwMcc }) => pwMcc.mean.toFixed(3)],
        ['by chance', ({ pwMcc }) => pwMcc.chance.toFixed(3)],
        ['nearer than chance', ({ beyond }) => range(beyond)],
      ],
    ),
    ...section(
      {
        title: 'All seeds',
        says: [
          'In all: latents that come back in every other seed, with the 95 % interval that the number of latents leaves. Beyond chance: at a false discovery rate of 5 %.',
        ],
        rows: measured,
      },
      [
        ['in all', ({ reproducibility: { every } }) => range({ ...every, mean: every.share })],
        ['by chance', ({ reproducibility: { every } }) => chance(every.chance)],
        ['in any', ({ reproducibility: { any } }) => percent(any.share)],
        ['by chance', ({ reproducibility: { any } }) => chance(any.chance)],
        ['mean probability', ({ reproducibility: { mean } }) => percent(mean.share)],
        ['by chance', ({ reproducibility: { mean } }) => chance(mean.chance)],
        ['beyond chance', ({ reproducibility: { beyond } }) => percent(beyond.share)],
      ],
    ),
    ...section({ title: 'How many seeds: latents in all of n', rows: measured }, [
      ...seedCounts.map((seeds): [string, (row: MeasuredRow) => string] => [
        `n = ${seeds}`,
        ({ reproducibility: { learning } }) => {
          const observed = learning.points.find((point) => point.seeds === seeds)?.observed;
          return observed === null || observed === undefined ? '–' : percent(observed);
        },
      ]),
      [
        'law',
        ({ reproducibility: { learning } }) =>
          learning.law ? `Beta(${learning.law.a.toFixed(3)}, ${learning.law.b.toFixed(3)})` : '–',
      ],
      [
        'enough',
        ({
          reproducibility: {
            learning: { law, enough },
          },
        }) => (law ? String(enough ?? '> 20') : '–'),
      ],
    ]),
    ...section(
      {
        title: 'What does not come back: latents found in fewer than half of the other seeds',
        says: [
          'Affinity: mean squared cosine of the principal angles between the leading spaces of two seeds. Inside: mean share of the squared norm of such a latent inside the leading space of another seed.',
        ],
        rows: withSubspaces,
      },
      [
        [
          'latents a seed',
          subspaces(({ seeds }) => count(Math.round(meanOf(seeds.map(({ latents }) => latents))))),
        ],
        [
          'dimensions',
          subspaces(({ seeds }) => meanOf(seeds.map((own) => own.participationRatio)).toFixed(1)),
        ],
        ['compared', subspaces(({ rank }) => String(rank))],
        ['affinity', subspaces(({ affinity }) => affinity.seeds.toFixed(3))],
        ['by chance', subspaces(({ affinity }) => affinity.chance.toFixed(3))],
        ['random spaces', subspaces(({ affinity }) => affinity.random.toFixed(3))],
        ['components', subspaces(({ affinity }) => affinity.components?.toFixed(3) ?? '–')],
        ['inside', subspaces(({ found }) => percent(found.inside))],
        ['by chance', subspaces(({ found }) => percent(found.insideByChance))],
        ['more than chance', subspaces(({ found }) => percent(found.share))],
        ['clusters found', subspaces(({ clusters }) => `${clusters.found} of ${clusters.count}`)],
      ],
    ),
    ...measured.flatMap((row) =>
      row.reproducibility.worth
        ? [
            `## What stability is worth: ${headOf(row).slice(0, 4).join(', ')} latents`,
            '',
            `Tenths of the live latents by how surely they come back; set to 0, and kept alone. In brackets the range of ${row.reproducibility.worth.draws} random groups of like density and strength.`,
            '',
            worthTable(row.reproducibility.worth),
            '',
          ]
        : [],
    ),
  ].join('\n');
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
