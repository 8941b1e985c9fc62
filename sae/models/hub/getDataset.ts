/** A data set by its name on the hub into a folder: those of its files that `--text` reads, where they lie in the repository. */
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LazyscopeError } from '../../errors.ts';
import type { Report } from '../../progress.ts';
import { checkName } from '../../store/layout.ts';
import { downloadAll } from './downloadAll.ts';
import { listRepository, repositoryPattern } from './hub.ts';
import type { Hub, HubFile } from './hub.ts';
import { makeFolder } from '../../store/makeFolder.ts';

export interface GetDatasetOptions {
  hub: Hub;
  /** `owner/name`. */
  repository: string;
  /** Branch, tag or commit. */
  revision?: string;
  /** Files or folders of the repository; all that can be read where none is named. */
  files?: readonly string[] | undefined;
  /** Folder of data sets: the new one goes in there. */
  datasets: string;
  /** What it is called there; by default as on the hub. */
  name?: string | undefined;
  report?: Report;
  signal?: AbortSignal | undefined;
  /** Milliseconds before a cut connection is tried again. */
  patience?: number;
}

export interface GotDataset {
  name: string;
  path: string;
  commit: string;
  files: string[];
  bytes: number;
}

const readable = /\.(txt|text|json|jsonl|ndjson|parquet|arrow)(\.(gz|xz|zst|zstd))?$/i;
const description = /(^|\/)(dataset_infos?|state|dataset_dict)\.json$/;
/** Each part of a path is an ordinary name, so that none leads out of the folder, and none is hidden from `--text`. */
const ordinary = /^[^./\\][^/\\]*(\/[^./\\][^/\\]*)*$/;
const listed = 12;

/** Throws `conflict` where the name is taken, `bad_input` where it has to be said which files, and as `downloadAll`. What came is kept for the next try. */
export async function getDataset(options: GetDatasetOptions): Promise<GotDataset> {
  const { hub, repository, revision = 'main', datasets, signal } = options;
  if (!repositoryPattern.test(repository))
    throw new LazyscopeError(
      'bad_input',
      `'${repository}' is no name on the hub: give it as owner/name, for example roneneldan/TinyStories.`,
    );
  const name = checkName('dataset', options.name ?? basename(repository));
  const target = join(datasets, name);
  if (existsSync(target))
    throw new LazyscopeError('conflict', `'${target}' is there already: give another name with --name.`);
  const kind = 'dataset';
  const { commit, files } = await listRepository(hub, repository, revision, { kind, signal });
  const wanted = chooseFiles(files, options);
  const folder = join(datasets, `.${name}.download`);
  makeFolder(folder);
  const placed = wanted.map((file) => ({ file, place: file.path }));
  const bytes = await downloadAll({ ...options, kind, commit, folder, files: placed });
  await rename(folder, target);
  return { name, path: target, commit, files: wanted.map(({ path }) => path), bytes };
}

function chooseFiles(files: readonly HubFile[], { repository, files: asked }: GetDatasetOptions): HubFile[] {
  const found = files.filter(
    ({ path }) => readable.test(path) && !description.test(path) && ordinary.test(path),
  );
  if (found.length === 0)
    throw new LazyscopeError(
      'bad_input',
      `'${repository}' holds no files of text that can be read (${describe(files)}): try --revision refs/convert/parquet, where the hub keeps many data sets as Parquet.`,
    );
  if (asked !== undefined && asked.length > 0) {
    const within = (path: string, part: string) =>
      path === part || path.startsWith(`${part.replace(/\/$/, '')}/`);
    const missing = asked.find((part) => !found.some(({ path }) => within(path, part)));
    if (missing !== undefined)
      throw new LazyscopeError(
        'not_found',
        `'${repository}' has no file or folder '${missing}' that can be read: it has ${describe(found)}.`,
      );
    return found.filter(({ path }) => asked.some((part) => within(path, part)));
  }
  const kinds = new Set(found.map(({ path }) => readable.exec(path)?.[0].toLowerCase()));
  if (kinds.size > 1)
    throw new LazyscopeError(
      'bad_input',
      `'${repository}' has files of several kinds, which may be the same text twice: choose files or folders with --file from ${describe(found)}.`,
    );
  return found;
}

function describe(files: readonly HubFile[]): string {
  const names = files.slice(0, listed).map(({ path }) => path);
  return (
    [...names, ...(files.length > listed ? [`and ${files.length - listed} more`] : [])].join(', ') || 'none'
  );
}
