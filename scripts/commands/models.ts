/** `lazyscope models`: what models there are, what is in one, and getting one from the hub by name. */
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import { environment } from '../commandLine/environment.ts';
import { withStoreOptions } from '../commandLine/options.ts';
import { modelFolder, modelsIn } from '../commandLine/models.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import { table } from '../commandLine/table.ts';

export function models(): Command {
  return new Command('models')
    .description('list language models, look into one, or get one from the Hugging Face hub')
    .addCommand(listModels(), { isDefault: true })
    .addCommand(checkModel())
    .addCommand(getModelByName());
}

const count = (value: number | undefined) => {
  if (value === undefined) return null;
  const [size, unit] = value >= 1e9 ? [1e9, 'G'] : value >= 1e6 ? [1e6, 'M'] : [1e3, 'k'];
  return `${(value / size).toFixed(1)} ${unit}`;
};

function listModels(): Command {
  const command = new Command('list').description('models of the data folder and of the package');
  return withStoreOptions(command).action(() =>
    runCommand(command, async ({ store }) => {
      const { inspectModel } = await import('../../sae/models/inspectModel.ts');
      const found = await Promise.all(
        modelsIn(store).map(async ({ name, path, bundled }) => {
          const { hookPoints: _, ...rest } = await inspectModel(path);
          return { ...rest, name, bundled };
        }),
      );
      const rows = found.map((model) => [
        model.name,
        model.family ?? '–',
        count(model.parameters),
        model.dtypes?.[0] ?? '–',
        model.layers ?? null,
        model.d ?? null,
        model.contextLength ?? null,
        model.problems.length === 0 ? 'runs' : model.problems[0],
      ]);
      const head = ['model', 'family', 'parameters', 'numbers', 'layers', 'd', 'context', ''];
      return { document: found, text: table(head, rows) };
    }),
  );
}

function checkModel(): Command {
  const command = new Command('check')
    .description('what a model is, and everything that keeps it from being run; nothing is computed')
    .argument(
      '<name|path>',
      'a model of the data folder or the package, a Hugging Face folder, or a .gguf file',
    );
  return withStoreOptions(command).action((model: string) =>
    runCommand(command, async ({ store }) => {
      const { inspectModel } = await import('../../sae/models/inspectModel.ts');
      const found = await inspectModel(modelFolder(store, model));
      const lines = [
        ['name', found.name],
        ['path', found.path],
        ['family', found.family],
        ['parameters', found.parameters],
        ['numbers', found.dtypes?.join(', ')],
        ['layers', found.layers],
        ['width d', found.d],
        ['neurons', found.neurons],
        ['heads', found.heads],
        ['activation', found.activation],
        ['context', found.contextLength],
        ['vocabulary', found.vocabulary],
        ['tokenizer', found.tokenizer && describeTokenizer(found.tokenizer)],
        ['hook points', found.hookPoints && describeHooks(found.hookPoints)],
      ].flatMap(([label, value]) => (value === undefined ? [] : [`${String(label).padEnd(12)} ${value}`]));
      const verdict =
        found.problems.length === 0
          ? 'It can be run.'
          : `It can't be run:\n${found.problems.map((problem) => `  ${problem}`).join('\n')}`;
      const runs = found.problems.length === 0;
      return {
        document: { ...found, runs },
        text: [...lines, '', verdict].join('\n'),
        failure: runs
          ? undefined
          : new LazyscopeError('bad_input', `'${model}' can't be run: ${found.problems[0]}`),
      };
    }),
  );
}

function describeTokenizer(tokenizer: {
  vocabularySize: number;
  bosToken?: string;
  eosToken?: string;
}): string {
  const { vocabularySize, bosToken, eosToken } = tokenizer;
  return `${vocabularySize} tokens, begins with ${bosToken ?? 'nothing'}, ends with ${eosToken ?? 'nothing'}`;
}

/** Those of one block stand for all. */
function describeHooks(hooks: readonly string[]): string {
  const shown = hooks.filter((hook) => !/^blocks\.(?!0\.)/.test(hook));
  return `${hooks.length}: ${shown.map((hook) => hook.replace(/^blocks\.0\./, 'blocks.N.')).join(', ')}`;
}

interface GetOptions {
  file?: string;
  name?: string;
  revision: string;
}

function getModelByName(): Command {
  const command = new Command('get')
    .description(
      'download a model into the data folder; an interrupted download goes on where it ended, and checksums are compared with those of the hub. HF_TOKEN is the token, HF_ENDPOINT a mirror',
    )
    .argument('<owner/name>', 'as on the hub, for example EleutherAI/pythia-70m')
    .option('--file <name.gguf>', 'one GGUF file of it')
    .option('--name <name>', 'what it is called here; by default as there')
    .option('--revision <name>', 'branch, tag or commit', 'main');
  return withStoreOptions(command).action((repository: string, given: GetOptions) =>
    runCommand(command, async ({ store, report, signal }) => {
      const { getModel } = await import('../../sae/models/hub/getModel.ts');
      const got = await getModel({
        hub: environment.hub,
        repository,
        revision: given.revision,
        file: given.file,
        name: given.name,
        models: store.models(),
        report,
        signal,
      });
      return {
        document: { repository, ...got },
        text: `Got '${repository}' (${(got.bytes / 1e6).toFixed(1)} MB, commit ${got.commit.slice(0, 12)}) as '${got.path}'.`,
      };
    }),
  );
}
