/** The demo from beginning to end, and what it reports. */
import { LazyscopeError } from '../../sae/errors.ts';
import { loadModel, modelFolder } from '../commandLine/models.ts';
import { duration } from '../commandLine/progressView.ts';
import type { Outcome, Session } from '../commandLine/runCommand.ts';
import { percent } from '../commandLine/table.ts';
import { comparisonTable } from '../commands/compare.ts';
import { atMost } from '../commands/reproducibility.ts';
import { evaluationTable } from '../commands/evaluate.ts';
import { startServing, type ServeFlags } from '../commands/serve.ts';
import { sparsityTable } from '../commands/sparsity.ts';
import { compareDemo, evaluateAndIndexDemo, measureDemoReturns } from './demoFindings.ts';
import { bundledTraining, captureDemo, measureDemo, ownTraining, trainDemo } from './demoSteps.ts';
import type { DemoPlan } from './demoSteps.ts';
import { forgetDemo } from './forgetDemo.ts';

export interface DemoOptions extends Omit<ServeFlags, 'explorer'> {
  model?: string;
  otherModel?: string;
  text: string;
  tokens?: number;
  trainingTokens?: number;
  fresh?: boolean;
  serve: boolean;
}

export async function runDemo(
  session: Session,
  given: DemoOptions,
  bundled: { model: string; otherModel: string },
): Promise<Outcome> {
  const started = performance.now();
  const { store, say } = session;
  const asked = planOf(session, given, bundled);
  if (given.fresh) await forgetDemo(store, asked);
  const backend = await session.startBackend();
  const model = await loadModel(store, asked.model);
  const plan = { ...asked, tokens: given.tokens ?? tokensFor(model.parameterCount()) };
  say(
    `Looking into ${model.name} (${model.parameterCount()} parameters) on ${backend.name}, ${backend.threads} threads.`,
  );

  const captured = await captureDemo(session, plan, model);
  const runs = await trainDemo(session, plan, captured);
  const { evaluations, features } = await evaluateAndIndexDemo(session, runs, model);
  model.dispose();
  const comparisons = await compareDemo(session, runs);
  const returns = await measureDemoReturns(session, runs);
  const reports = await measureDemo(session, plan);
  const seconds = (performance.now() - started) / 1000;
  const { quotedRatio } = await import('../../sae/sparsity/masking/cett.ts');

  const document = {
    model: captured.model.name,
    tokens: captured.contexts * captured.contextLength,
    backend: backend.name,
    seconds: round(seconds, 1),
    runs: evaluations.map(({ run, seed, l0, fvu, ceRecovered, deadFraction }) => {
      const manifest = runs.find(({ name }) => name === run);
      return {
        name: run,
        architecture: manifest?.config.architecture,
        seed,
        l0,
        fvu,
        ceRecovered,
        deadFraction,
        tokensPerSecond: manifest?.tokensPerSecond,
      };
    }),
    comparisons: comparisons.map(({ architectures, a, b, shared, threshold, mmcs, pwMcc, chance }) => {
      const random = chance && (chance.covariance ?? chance.isotropic);
      return {
        architecture: architectures[0],
        seeds: [a.seed, b.seed],
        shared,
        threshold,
        mmcs,
        pwMcc,
        chance: random
          ? {
              null: chance.covariance ? 'covariance' : 'isotropic',
              shared: random.shared,
              mmcs: random.mmcs,
              pwMcc: random.pwMcc,
              beyondChance: chance.beyond.share,
            }
          : null,
      };
    }),
    reproducibility: returns.map(({ run, threshold, every, any, beyond }) => ({
      name: run,
      architecture: runs.find(({ name }) => name === run)?.config.architecture,
      threshold,
      every,
      any,
      beyondChance: beyond.share,
    })),
    sparsity: {
      /** Activation ratio at which `cett` is taken: 98 % of the neurons are masked. */
      cettAtActivationRatio: quotedRatio,
      models: reports.map(({ model, layers }) => ({
        name: model.name,
        layers: layers.map(({ layer, activationRatio, cett }) => ({ layer, activationRatio, cett })),
      })),
    },
    features,
  };
  const text = [
    evaluationTable(evaluations),
    comparisonTable(comparisons),
    ...reports.map((report) => `${report.model.name} (${report.model.activation})\n${sparsityTable(report)}`),
    headline(document),
  ].join('\n\n');
  if (!given.serve) return { document, text };
  const { stay } = await startServing(session, { ...given, explorer: true });
  return { document, text, stay };
}

/** To capture, unless a model is so large that this would take hours on two cores. */
const mostTokens = 640_000;

/** As many tokens as a model of this many parameters is run on in about the time that one of 150 million takes. */
function tokensFor(parameters: number): number {
  return Math.max(60_000, Math.min(mostTokens, Math.round((mostTokens * 150e6) / parameters)));
}

function planOf(
  { store }: Session,
  given: DemoOptions,
  bundled: { model: string; otherModel: string },
): DemoPlan {
  const model = given.model ?? bundled.model;
  // For a model of one's own there is no obvious second model to compare with, so only a named one is taken.
  const other = given.otherModel ?? (given.model === undefined ? bundled.otherModel : undefined);
  const models = [model, ...(other === undefined ? [] : [other])];
  for (const each of models) modelFolder(store, each);
  if (given.tokens !== undefined && given.tokens < 20_000)
    throw new LazyscopeError(
      'bad_input',
      `--tokens ${given.tokens} is too few to train on: give at least 20000.`,
    );
  return {
    name: 'demo',
    model,
    models,
    text: given.text,
    tokens: given.tokens ?? mostTokens,
    trainingTokens: given.trainingTokens,
    ...(given.model === undefined
      ? { seeds: [0, 1, 2], sparsityTokens: 32_768, training: bundledTraining }
      : { seeds: [0, 1], sparsityTokens: 8_192, training: ownTraining }),
  };
}

function headline({
  reproducibility,
  features,
  seconds,
}: {
  reproducibility: { architecture?: string; every: { share: number; chance: number } }[];
  features: number;
  seconds: number;
}): string {
  const shares = reproducibility.map(
    ({ architecture, every }) =>
      `${architecture} ${percent(every.share)} (by chance ${atMost(every.chance)})`,
  );
  return `${features} features in ${duration(seconds)}; came back in every seed: ${shares.join(', ')}.`;
}

const round = (value: number, digits: number) => Number(value.toFixed(digits));
