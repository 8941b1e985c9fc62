/**
 * Do the default settings of training suit a model? Each architecture is trained with its defaults, and with its learning
 * rate times `--rates`, at every hook point and every budget; the table says FVU, L0 against its target, dead latents and the
 * loss recovered. What is done already is not done again, so that it can be stopped and started at will.
 *
 *     npx tsx scripts/studies/trainingDefaults.ts --model PATH --hooks blocks.15.hook_resid_post --budgets 500000 --data FOLDER
 *
 * `training-defaults.md` holds what was measured on SmolLM2-135M-Instruct.
 */
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { capture } from '../../sae/activations/capture.ts';
import { openCapture } from '../../sae/activations/openCapture.ts';
import { evaluate } from '../../sae/evaluation/evaluate.ts';
import type { LanguageModel } from '../../sae/models/languageModel.ts';
import { parseHookPoint } from '../../sae/models/hookPoints.ts';
import { architectureNames } from '../../sae/spec/architectures/architectures.ts';
import { evaluationKind, type Evaluation } from '../../sae/spec/manifests/evaluation.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import { readText } from '../../sae/tokens/readText.ts';
import { defaultTrainingConfig } from '../../sae/training/defaults.ts';
import { loadModel } from '../commandLine/models.ts';
import { withCommonOptions } from '../commandLine/options.ts';
import { runCommand, type Session } from '../commandLine/runCommand.ts';
import { trainRuns, type RunToTrain } from '../commands/train.ts';

interface Options {
  model: string;
  text: string;
  hooks: string[];
  budgets: string[];
  rates: string[];
  architectures: string[];
  captureTokens: string;
  width: string;
}

interface Planned extends RunToTrain {
  hook: string;
  rate: number;
}

interface Row {
  architecture: string;
  hook: string;
  width: number;
  tokens: number;
  rate: number;
  learningRate: number;
  fvu: number | null;
  medianFvu: number | null;
  l0: number;
  dead: number;
  ceRecovered: number | null;
}

const list = (text: string) => text.split(',');
const captureName = 'training-defaults';
const evaluatedTokens = 16_384;
const lossTokens = 2_048;

const command = withCommonOptions(
  new Command('training-defaults')
    .requiredOption('--model <name|path>', 'the model whose activations are learnt')
    .option('--text <file|dataset>', 'the text', 'dataset:moby-dick')
    .requiredOption('--hooks <list>', 'hook points', list)
    .option('--budgets <list>', 'tokens that each dictionary is trained on', list, ['1000000'])
    .option('--rates <list>', 'factors of the default learning rate', list, ['1'])
    .option('--architectures <list>', 'which to train', list, ['topk', 'relu', 'jumprelu'])
    .option('--capture-tokens <n>', 'tokens to capture', '298000')
    .option('--width <n>', 'latents as a multiple of the width of the activations', '8'),
).action((given: Options) =>
  runCommand(command, async (session) => {
    await session.startBackend();
    const model = await loadModel(session.store, given.model);
    await captureHooks(session, model, given);
    const rows: Row[] = [];
    for (const planned of await plan(session, given)) {
      session.signal.throwIfAborted();
      await trainRuns(session, [planned], { resume: true });
      rows.push(rowOf(planned, await evaluated(session, model, planned)));
    }
    model.dispose();
    return { document: { model: model.name, rows }, text: tableOf(rows) };
  }),
);
await command.parseAsync();

async function captureHooks(
  { store, report, signal }: Session,
  model: LanguageModel,
  given: Options,
): Promise<void> {
  if (existsSync(store.captureManifest(captureName))) return;
  await capture({
    store,
    name: captureName,
    model,
    text: await readText(given.text),
    hooks: given.hooks.map((hook) => parseHookPoint(hook).name),
    contextLength: 128,
    maxTokens: Number(given.captureTokens),
    report,
    signal,
  });
}

async function plan({ store }: Session, given: Options): Promise<Planned[]> {
  const opened = await openCapture(store, captureName);
  const runs: Planned[] = [];
  for (const architecture of architectureNames.filter((name) => given.architectures.includes(name)))
    for (const hook of given.hooks)
      for (const tokens of given.budgets.map(Number))
        for (const rate of given.rates.map(Number)) {
          const d = opened.width(hook);
          const options = {
            capture: captureName,
            hook,
            d,
            tokens,
            width: Number(given.width) * d,
            seeds: [0],
          };
          const { learningRate } = defaultTrainingConfig(architecture, options);
          const config = defaultTrainingConfig(architecture, {
            ...options,
            learningRate: learningRate * rate,
            ...(architecture === 'relu' ? { targetL0: 32 } : {}),
          });
          runs.push({ name: `${architecture}-${hook}-${tokens}-x${rate}`, config, hook, rate });
        }
  opened.close();
  return runs;
}

async function evaluated(
  { store, report, signal }: Session,
  model: LanguageModel,
  { name }: Planned,
): Promise<Evaluation> {
  const path = store.evaluation(name, 0);
  if (!existsSync(path))
    await evaluate({
      store,
      run: name,
      seed: 0,
      model,
      maxTokens: evaluatedTokens,
      lossTokens,
      report,
      signal,
    });
  return readManifest(path, evaluationKind);
}

function rowOf({ config, hook, rate }: Planned, evaluation: Evaluation): Row {
  return {
    architecture: config.architecture,
    hook,
    width: config.width,
    tokens: config.tokens,
    rate,
    learningRate: config.learningRate,
    fvu: evaluation.fvu,
    medianFvu: evaluation.medianFvu ?? null,
    l0: evaluation.l0,
    dead: evaluation.deadFraction,
    ceRecovered: evaluation.ceRecovered,
  };
}

function tableOf(rows: readonly Row[]): string {
  const number = (value: number | null, digits: number) => (value === null ? '–' : value.toFixed(digits));
  const head = [
    'architecture',
    'hook',
    'latents',
    'tokens',
    'rate',
    'FVU',
    'median',
    'L0',
    'dead',
    'CE rec.',
  ];
  const lines = rows.map((row) => [
    row.architecture,
    row.hook,
    String(row.width),
    String(row.tokens),
    `${row.rate} × (${row.learningRate.toPrecision(3)})`,
    number(row.fvu, 3),
    number(row.medianFvu, 3),
    number(row.l0, 1),
    `${number(100 * row.dead, 1)} %`,
    row.ceRecovered === null ? '–' : `${number(100 * row.ceRecovered, 1)} %`,
  ]);
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
