/**
 * `lazyscope demo`: the whole job on a real model and a real text. What an earlier run finished is recognised
 * and not done again, so that the command can be stopped and repeated.
 */
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import { loadModel, modelFolder } from '../commandLine/models.ts';
import { positiveInteger, withCommonOptions } from '../commandLine/options.ts';
import { duration } from '../commandLine/progressView.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import type { Session } from '../commandLine/runCommand.ts';
import { percent } from '../commandLine/table.ts';
import { captureDemo, measureDemo, trainDemo } from '../demo/demoSteps.ts';
import type { DemoPlan } from '../demo/demoSteps.ts';
import { evaluateAndIndexDemo, compareDemo } from '../demo/demoFindings.ts';
import { forgetDemo } from '../demo/forgetDemo.ts';
import { comparisonTable } from './compare.ts';
import { evaluationTable } from './evaluate.ts';
import { startServing, withServeOptions } from './serve.ts';
import type { ServeFlags } from './serve.ts';
import { sparsityTable } from './sparsity.ts';

interface Options extends Omit<ServeFlags, 'explorer'> {
  model?: string;
  otherModel?: string;
  text: string;
  tokens: number;
  trainingTokens?: number;
  fresh?: boolean;
  serve: boolean;
}

const bundled = { model: 'lazyscope-demo-relu', otherModel: 'lazyscope-demo-gelu' };

export function demo(): Command {
  const command = new Command('demo')
    .description(
      'do the whole job on a bundled model: capture, train, evaluate, index, compare, sparsity, serve',
    )
    .option('--model <name|folder>', `the model to look into (default: ${bundled.model})`)
    .option(
      '--other-model <name|folder>',
      `a second one for the sparsity report (default: ${bundled.otherModel})`,
    )
    .option('--text <file|dataset>', 'the text to look at it with', 'dataset:sotu')
    .option('--tokens <n>', 'tokens to capture', positiveInteger, 640_000)
    .option('--training-tokens <n>', 'tokens each dictionary is trained on', positiveInteger)
    .option('--fresh', 'forget what an earlier demo made and start over')
    .option('--no-serve', 'do not serve the explorer in the end');
  return withCommonOptions(withServeOptions(command)).action((given: Options) =>
    runCommand(command, (session) => runDemo(session, given)),
  );
}

async function runDemo(session: Session, given: Options) {
  const started = performance.now();
  const { store, say } = session;
  const plan = planOf(session, given);
  if (given.fresh) await forgetDemo(store, plan);
  const backend = await session.startBackend();
  const model = await loadModel(store, plan.model);
  say(
    `Looking into ${model.name} (${model.parameterCount()} parameters) on ${backend.name}, ${backend.threads} threads.`,
  );

  const captured = await captureDemo(session, plan, model);
  const runs = await trainDemo(session, plan, captured);
  const { evaluations, features } = await evaluateAndIndexDemo(session, runs, model);
  model.dispose();
  const comparisons = await compareDemo(session, runs);
  const reports = await measureDemo(session, plan);
  const seconds = (performance.now() - started) / 1000;

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
    comparisons: comparisons.map(({ architectures, a, b, shared, threshold, mmcs }) => ({
      architecture: architectures[0],
      seeds: [a.seed, b.seed],
      shared,
      threshold,
      mmcs,
    })),
    sparsity: {
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

function planOf({ store }: Session, given: Options): DemoPlan {
  const model = given.model ?? bundled.model;
  // Someone's own model has no natural partner: the second is theirs to name.
  const other = given.otherModel ?? (given.model === undefined ? bundled.otherModel : undefined);
  const models = [model, ...(other === undefined ? [] : [other])];
  for (const each of models) modelFolder(store, each);
  if (given.tokens < 20_000)
    throw new LazyscopeError(
      'bad_input',
      `--tokens ${given.tokens} is too few to train on: give at least 20000.`,
    );
  return {
    name: 'demo',
    model,
    models,
    text: given.text,
    tokens: given.tokens,
    trainingTokens: given.trainingTokens,
    seeds: [0, 1, 2],
  };
}

function headline({
  comparisons,
  features,
  seconds,
}: {
  comparisons: { architecture: string; shared: number }[];
  features: number;
  seconds: number;
}): string {
  const shares = [...new Set(comparisons.map((c) => c.architecture))].map((architecture) => {
    const own = comparisons.filter((c) => c.architecture === architecture);
    const mean = own.reduce((sum, c) => sum + c.shared, 0) / own.length;
    return `${architecture} ${percent(mean)}`;
  });
  return `${features} features in ${duration(seconds)}; shared between two seeds: ${shares.join(', ')}.`;
}

const round = (value: number, digits: number) => Number(value.toFixed(digits));
