/** `lazyscope evaluate`: L0, FVU, cross-entropy recovered and the rest, on held-out tokens. */
import type { Evaluation } from '../../sae/spec/manifests/evaluation.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { finishedRun, modelOfRun, seedsOf } from '../commandLine/dictionaries.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { figure, percent, table } from '../commandLine/table.ts';

declare global {
  interface JobCommands {
    evaluate: typeof run;
  }
}

export const run: JobWork<'evaluate'> = async ({ store, report, signal, startBackend }, given) => {
  const runs = await Promise.all(given.run.map((name) => finishedRun(store, name)));
  const work = runs.map((run) => ({ run, seeds: seedsOf(run, given.seeds) }));
  const { evaluate } = await import('../../sae/evaluation/evaluate.ts');
  const { parseExclusionRule } = await import('../../sae/activations/exclusionRule.ts');
  await startBackend();
  const evaluations: Evaluation[] = [];
  const without: RunManifest[] = [];
  for (const { run, seeds } of work) {
    const model = await modelOfRun(store, run);
    for (const seed of seeds)
      evaluations.push(
        await evaluate({
          store,
          run: run.name,
          seed,
          model,
          report,
          signal,
          maxTokens: given.maxTokens,
          lossTokens: given.lossTokens,
          ...(given.exclude !== undefined && { exclude: parseExclusionRule(given.exclude) }),
        }),
      );
    if (!model) without.push(run);
    model?.dispose();
  }
  return {
    document: { evaluations },
    text: `${evaluationTable(evaluations)}${layerTable(evaluations)}${leftOut(without, 'losses (CE recovered, KL divergence)')}`,
  };
};

/** What to say of runs whose model isn't known; nothing where there are none. */
export function leftOut(runs: readonly RunManifest[], what: string): string {
  if (runs.length === 0) return '';
  const names = runs.map(({ name }) => `'${name}'`).join(', ');
  return `\nLeft out for ${names}: ${what}, which need the language model; the capture was made of activations without one (capture --from … --model gives it).`;
}

/** What follows the table of evaluations where there are crosscoders: a row for each of their hook points. */
function layerTable(evaluations: readonly Evaluation[]): string {
  const rows = evaluations.flatMap(({ run, seed, layers = [] }) =>
    layers.map((layer) => [
      run,
      seed,
      layer.hook,
      figure(layer.fvu),
      percent(layer.ceRecovered),
      percent(layer.decoderShare),
    ]),
  );
  if (rows.length === 0) return '';
  return `\n\n${table(['run', 'seed', 'hook point', 'FVU', 'CE recovered', 'decoder share'], rows)}`;
}

export function evaluationTable(evaluations: readonly Evaluation[]): string {
  const some = evaluations.some(({ exclusion }) => exclusion);
  return table(
    [
      'run',
      'seed',
      'L0',
      'FVU',
      'median FVU',
      ...(some ? ['left out', 'FVU with them'] : []),
      'CE recovered',
      'dead',
    ],
    evaluations.map((e) => [
      e.run,
      e.seed,
      figure(e.l0, 1),
      figure(e.fvu),
      figure(e.medianFvu ?? NaN),
      ...(some ? [e.exclusion?.rows ?? 0, figure(e.exclusion?.fvuWithThem ?? NaN)] : []),
      percent(e.ceRecovered, e.lossIntervals?.ceRecovered),
      percent(e.deadFraction),
    ]),
  );
}
