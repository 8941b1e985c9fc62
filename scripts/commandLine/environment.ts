/** The one file that reads the environment and the package's own place on the disk. */
import { cp } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export { describeEnvironment, packageVersion } from '../../sae/backends/describeEnvironment.ts';

const thisFile = fileURLToPath(import.meta.url);
/** The same file runs as a source in a checkout and, compiled, under `dist/` of the installed package. */
const isSource = thisFile.endsWith('.ts');
/** The folder with `sae`, `server`, `scripts` and `web`: the checkout, or `dist`. */
const codeFolder = join(dirname(thisFile), '..', '..');

/** The package's root, with its `package.json`. */
export const packageFolder = isSource ? codeFolder : dirname(codeFolder);
export const bundledModels = join(packageFolder, 'data', 'models');
/** The explorer's app. A checkout builds it when it has changed; the installed package has it built. */
export const explorerPlace = {
  web: join(codeFolder, 'web'),
  ...(isSource ? { root: packageFolder } : {}),
};
/** Puts the pages of published sites into a folder: a checkout builds them, the installed package has them built. */
export async function putSitePages(folder: string): Promise<void> {
  if (!isSource) return cp(join(codeFolder, 'site'), folder, { recursive: true });
  const { buildPages } = await import('../site/buildPages.ts');
  await buildPages({ root: packageFolder, out: folder });
}

/** The program and arguments that start the command line in a child process. */
export const program = [process.execPath, join(packageFolder, 'scripts', 'lazyscope.mjs')] as const;

/** Where what can be fetched or made again is kept. */
export const userCache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'lazyscope');

// The client of stores in S3 is pinned to a version for this Node, and would say with every command that later ones are not.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

export const environment = {
  /** `json`: progress as JSON Lines on standard error, for the server. */
  progress: process.env['LAZYSCOPE_PROGRESS'],
  token: process.env['LAZYSCOPE_TOKEN'],
  /** The password of the Redis of `--queue`, where its address has none. */
  queuePassword: process.env['LAZYSCOPE_QUEUE_PASSWORD'] || undefined,
  /** Which job of a queue this process works on, and which attempt it is; set by `lazyscope worker`. */
  lease: process.env['LAZYSCOPE_LEASE'] || undefined,
  /** The endpoint that `lazyscope label --method endpoint` asks. Its key is read from here alone and stored nowhere. */
  labelEndpoint: {
    baseUrl: process.env['LAZYSCOPE_LABEL_BASE_URL'] || undefined,
    model: process.env['LAZYSCOPE_LABEL_MODEL'] || undefined,
    key: process.env['LAZYSCOPE_LABEL_API_KEY'] || undefined,
  },
  /** The server of stores in S3, for another than Amazon's, and the region; keys are read by its client, from where its other tools read them. */
  s3: {
    endpoint: process.env['AWS_ENDPOINT_URL_S3'] || process.env['AWS_ENDPOINT_URL'] || undefined,
    region: process.env['AWS_REGION'] || process.env['AWS_DEFAULT_REGION'] || undefined,
  },
  /** Where files of stores that lie elsewhere are kept, and how many bytes of each store. */
  cache: {
    folder: process.env['LAZYSCOPE_CACHE'] || undefined,
    size: process.env['LAZYSCOPE_CACHE_SIZE'] || undefined,
  },
  /** Folders in which a model is looked for by name. */
  hub: {
    endpoint: (process.env['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, ''),
    token: process.env['HF_TOKEN'] || undefined,
  },
};
