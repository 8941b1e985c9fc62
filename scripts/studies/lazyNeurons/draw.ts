/** Draws the plots and prints the tables of README.md from results.json: `npx tsx scripts/studies/lazyNeurons/draw.ts`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import {
  activationFunction,
  parseActivationFunction,
} from '../../../sae/models/activationFunctions/activationFunctions.ts';
import { fitLaw } from '../../../sae/sparsity/emergence/fitLaw.ts';
import type { StudyResult, StudyResults } from './results.ts';

const here = import.meta.dirname;
const { models, differences } = JSON.parse(readFileSync(join(here, 'results.json'), 'utf8')) as StudyResults;
const { document } = parseHTML('<!doctype html><html><body></body></html>');
const activations = models.filter(({ group }) => group === 'activation');
const variants = [...new Set(activations.map(({ variant }) => variant))];
const colours = ['#1767a8', '#b94a08', '#0b7254', '#8a2f78', '#a12c74', '#756200', '#5740c8', '#6c6c65', '#c23b3b', '#2f8f9d', '#7a5230']; // prettier-ignore

function save(name: string, options: Plot.PlotOptions): void {
  const picture = Plot.plot({
    document,
    width: 560,
    height: 340,
    marginLeft: 52,
    marginRight: 80,
    style: { background: 'white', color: '#33332e', fontFamily: 'sans-serif', fontSize: '11px' },
    color: { domain: variants, range: colours },
    ...options,
  });
  picture.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  writeFileSync(join(here, `${name}.svg`), `${picture.outerHTML}\n`);
}

const emergence = activations
  .filter(({ seed }) => seed === 0)
  .flatMap(({ variant, observations }) =>
    observations.filter(({ tokens }) => tokens > 0).map((point) => ({ variant, ...point })),
  );
const lines = (points: typeof emergence, y: 'activationRatio' | 'ratioAt') => [
  Plot.line(points, { x: 'tokens', y, stroke: 'variant', strokeWidth: 1.6 }),
  Plot.text(
    points,
    Plot.selectLast({
      x: 'tokens',
      y,
      z: 'variant',
      text: 'variant',
      fill: 'variant',
      textAnchor: 'start',
      dx: 5,
    }),
  ),
];
const dashed = (points: typeof emergence) =>
  Plot.line(points, { x: 'tokens', y: 'ratioAt', stroke: 'variant', strokeDasharray: '4 3' });
save('emergence', {
  x: { type: 'log', label: 'tokens seen →', tickFormat: '~s' },
  y: { label: '↑ share of neurons with |a| > 0.01', domain: [0, 1], grid: true, tickFormat: '%' },
  marks: lines(emergence, 'ratioAt'),
});

const longer = models
  .filter(({ group }) => group === 'longer')
  .map((model) => ({ ...model, variant: model.variant.replace(', longer', '') }));
save('emergence-longer', {
  x: { type: 'log', label: 'tokens seen →', tickFormat: '~s' },
  y: { label: '↑ share of neurons with |a| > 0.01', domain: [0, 1], grid: true, tickFormat: '%' },
  marks: longer.flatMap(({ variant, seed, observations }) => {
    const points = observations.filter(({ tokens }) => tokens > 0).map((point) => ({ variant, ...point }));
    return seed === 0 ? lines(points, 'ratioAt') : [dashed(points)];
  }),
});

const curves = activations
  .filter(({ seed }) => seed === 0)
  .flatMap(({ variant, tradeoff, perplexity }) =>
    tradeoff
      .filter(({ method }) => method === 'none' || method === 'cett')
      .map((point) => ({ variant, sparsity: point.sparsity, cost: point.perplexity / perplexity }))
      .filter(({ cost }) => cost < 1.5)
      .sort((a, b) => a.sparsity - b.sparsity),
  );
save('tradeoff', {
  x: { label: 'share of neurons masked by CETT →', domain: [0, 1], tickFormat: '%' },
  y: { label: '↑ perplexity, relative to all neurons', domain: [0.95, 1.5], grid: true },
  marks: [
    Plot.line(curves, { x: 'sparsity', y: 'cost', stroke: 'variant', strokeWidth: 1.6 }),
    Plot.text(
      curves,
      Plot.selectLast({
        x: 'sparsity',
        y: 'cost',
        z: 'variant',
        text: 'variant',
        fill: 'variant',
        textAnchor: 'start',
        dx: 4,
      }),
    ),
  ],
});

const ratioAt1 = ({ pplP }: StudyResult) => pplP.find(({ p }) => p === 1)?.ratio ?? Number.NaN;
save('loss-and-laziness', {
  x: { label: 'loss on the measured text (nats a token) →' },
  y: { label: '↑ neurons that must stay active, PPL-1 %', grid: true, tickFormat: '%' },
  marks: [
    Plot.dot(activations, { x: 'crossEntropy', y: ratioAt1, fill: 'variant', r: 4 }),
    Plot.text(
      activations.filter(({ seed }) => seed === 0),
      { x: 'crossEntropy', y: ratioAt1, text: 'variant', fill: 'variant', textAnchor: 'start', dx: 7 },
    ),
  ],
});

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const range = (values: readonly number[], show: (value: number) => string) =>
  values.length === 1 ? show(values[0]) : `${show(Math.min(...values))} – ${show(Math.max(...values))}`;
const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;

function table(group: StudyResult['group']): string {
  const own = models.filter((model) => model.group === group);
  const names = [...new Set(own.map(({ variant }) => variant))];
  const rows = names.map((variant) => {
    const each = own.filter((model) => model.variant === variant);
    const of = (pick: (model: StudyResult) => number, show = percent) => range(each.map(pick), show);
    const loss = (value: number) => value.toFixed(3);
    return row([
      variant,
      of((m) => m.crossEntropy, loss),
      of((m) => m.activationRatio),
      of((m) => m.ratioAt),
      of((m) => m.ratioAtCett),
      of(ratioAt1),
      of((m) => m.deadRate),
      of((m) => m.attentionOverload),
      of(
        (m) => m.spaceFolding,
        (value) => value.toFixed(2),
      ),
    ]);
  });
  const head = ['', 'loss', 'not 0', 'above 0.01', 'at CETT 0.2', 'PPL-1 %', 'dead', 'overload', 'folding'];
  return [row(head), row(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows].join('\n');
}

const pairs = [
  row(['', 'probability elsewhere', 'relative difference', 'another likeliest token']),
  row(['---', '---:', '---:', '---:']),
  ...differences.map(({ variant, totalVariation, relative, disagreement }) =>
    row([variant, percent(totalVariation), percent(relative), percent(disagreement)]),
  ),
].join('\n');
const laws = [
  row(['', 'form', 'α', 'limit', 'R²']),
  row(['---', '---', '---:', '---:', '---:']),
  ...activations.flatMap(({ variant, seed, law }) =>
    law && seed === 0
      ? [row([variant, law.form, law.alpha.toFixed(2), percent(law.limit), law.r2.toFixed(3)])]
      : [],
  ),
].join('\n');
/** The observations that the law is fitted to: those after the rise of the first steps. */
const afterRise = 25_000;
const laterLaws = [
  row(['', 'seed', 'form', 'α', 'limit', 'R²', 'at the end']),
  row(['---', '---:', '---', '---:', '---:', '---:', '---:']),
  ...longer.map(({ variant, seed, activation, observations }) => {
    const later = observations.filter(({ tokens }) => tokens >= afterRise);
    const { exactZeros } = activationFunction(parseActivationFunction(activation));
    const ratios = later.map((point) => (exactZeros ? point.activationRatio : point.ratioAt));
    const tokens = later.map((point) => point.tokens);
    const law = fitLaw(exactZeros ? 'logspace-power' : 'power', tokens, ratios);
    return row([
      variant, String(seed), law.form, law.alpha.toFixed(2), percent(law.limit), law.r2.toFixed(3), percent(ratios.at(-1)!),
    ]); // prettier-ignore
  }),
].join('\n');
process.stdout.write(
  `${table('activation')}\n\n${table('longer')}\n\n${laterLaws}\n\n${pairs}\n\n${laws}\n\n${table('training')}\n\n${table('size')}\n`,
);
