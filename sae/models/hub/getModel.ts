/** A model by its name on the hub into a folder, or one of its GGUF files; refused before its weights come if it can't be run. */
import { existsSync, readFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LazyscopeError } from '../../errors.ts';
import type { Report } from '../../progress.ts';
import { parseModelConfig } from '../readModelConfig.ts';
import { downloadAll } from './downloadAll.ts';
import { listRepository, repositoryPattern } from './hub.ts';
import type { Hub, HubFile } from './hub.ts';
import { makeFolder } from '../../store/makeFolder.ts';

export interface GetModelOptions {
  hub: Hub;
  /** `owner/name`. */
  repository: string;
  /** Branch, tag or commit. */
  revision?: string;
  /** One GGUF file of the repository rather than its folder. */
  file?: string | undefined;
  /** Folder of models: the new one goes in there. */
  models: string;
  /** What it is called there; by default as on the hub. */
  name?: string | undefined;
  report?: Report;
  signal?: AbortSignal | undefined;
  patience?: number;
}

export interface GotModel {
  path: string;
  commit: string;
  files: string[];
  bytes: number;
}

const small = /^(config|tokenizer|tokenizer_config|special_tokens_map|generation_config)\.json$/;

/** Throws `conflict` where the name is taken, `no_space` before it begins, and as `downloadFile`. What came is kept for the next try. */
export async function getModel(options: GetModelOptions): Promise<GotModel> {
  const { hub, repository, revision = 'main', models, signal } = options;
  if (!repositoryPattern.test(repository))
    throw new LazyscopeError(
      'bad_input',
      `'${repository}' is no name on the hub: give it as owner/name, for example EleutherAI/pythia-70m.`,
    );
  const { commit, files } = await listRepository(hub, repository, revision, { signal });
  const wanted = chooseFiles(files, options);
  const name = options.name ?? (options.file === undefined ? basename(repository) : basename(options.file));
  const target = join(models, name);
  if (existsSync(target))
    throw new LazyscopeError('conflict', `'${target}' is there already: give another name with --name.`);
  const folder = join(models, `.${name}.download`);
  makeFolder(folder);
  const total = await downloadAll({
    ...options,
    commit,
    folder,
    files: wanted.map((file) => ({ file, place: basename(file.path) })),
    // Before gigabytes come that nobody can use.
    onFile: ({ file, place }) => {
      if (file.path === 'config.json') checkConfig(join(folder, place));
    },
  });
  if (options.file === undefined) await rename(folder, target);
  else {
    await rename(join(folder, basename(options.file)), target);
    await rm(folder, { recursive: true, force: true });
  }
  return { path: target, commit, files: wanted.map(({ path }) => path), bytes: total };
}

/** Small files first. */
function chooseFiles(files: readonly HubFile[], { repository, file }: GetModelOptions): HubFile[] {
  const ggufs = files.filter(({ path }) => /\.gguf$/i.test(path));
  if (file !== undefined) {
    const found = ggufs.find(({ path }) => path === file);
    if (found) return [found];
    throw new LazyscopeError(
      'not_found',
      ggufs.length === 0
        ? `'${repository}' has no GGUF files: leave --file out.`
        : `'${repository}' has no GGUF file '${file}': choose one of ${ggufs.map(({ path }) => path).join(', ')}.`,
    );
  }
  const top = files.filter(({ path }) => !path.includes('/'));
  const weights = [
    /^model\.safetensors$/,
    /^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$/,
    /^pytorch_model\.bin$/,
    /^pytorch_model(-\d+-of-\d+)?\.bin(\.index\.json)?$/,
  ]
    .map((pattern) => top.filter(({ path }) => pattern.test(path)))
    .find((found) => found.length > 0);
  const described = top.filter(({ path }) => small.test(path));
  if (weights && described.some(({ path }) => path === 'config.json'))
    return [...described.sort(configFirst), ...weights.sort((a, b) => a.bytes - b.bytes)];
  throw new LazyscopeError(
    'bad_input',
    ggufs.length > 0
      ? `'${repository}' holds GGUF files: choose one with --file: ${ggufs.map(({ path }) => path).join(', ')}.`
      : `'${repository}' holds no model that can be read: it has no config.json with safetensors or pytorch_model.bin beside it.`,
  );
}

const configFirst = (a: HubFile, b: HubFile) =>
  Number(b.path === 'config.json') - Number(a.path === 'config.json');

function checkConfig(path: string): void {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new LazyscopeError('corrupt', `'${path}' is not JSON.`, { cause: error });
  }
  parseModelConfig(json, path);
}
