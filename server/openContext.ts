/** Opens the store, the database and the queue of a server, and closes them again. */
import { SearchStore } from '../sae/features/searchStore.ts';
import { StoreLayout } from '../sae/store/layout.ts';
import type { SharedObject } from '../sae/store/remote/s3/sharedObject.ts';
import { FollowedMetrics } from '../sae/training/thinnedMetrics.ts';
import { AuditLog } from './audit.ts';
import { ColumnCache } from './columnCache.ts';
import type { ServerContext } from './context.ts';
import { mostPoints } from './contract/runs.ts';
import { Database, inMemory } from './database.ts';
import { publishedDatabase } from './publishedLabels.ts';
import { SharedLabels } from './sharedLabels.ts';
import { Commands } from './jobs/commands.ts';
import { JobQueue, type JobQueueOptions } from './jobs/jobQueue.ts';
import { thisMachine } from './jobs/machineShare.ts';
import type { Queue } from './jobs/queue.ts';
import type { Log } from './log.ts';
import { ManifestCache } from './manifestCache.ts';
import { ServerMetrics } from './metrics.ts';
import { ModelWorker } from './playground/modelWorker.ts';
import { PageCache } from './pageCache.ts';
import { AutomaticLabels } from './queries/automaticLabels.ts';
import { LabelBook } from './queries/labelBook.ts';
import { ListBook } from './queries/listBook.ts';
import { SeedStability } from './queries/seedStability.ts';
import { TableAnswers } from './tableAnswers.ts';
import { TokenTexts } from './queries/tokenTexts.ts';

export interface ContextOptions {
  dataFolder: string;
  /** The address that the data folder is a cache of: nothing can be changed then, and labels are those published there. */
  publishedAt?: string;
  /** With `publishedAt`, of a store whose labels and lists can be changed all the same: where they are. */
  labels?: SharedObject;
  /** Folders of models that came with the package. */
  bundledModels: readonly string[];
  version: string;
  /** The program that runs the command line: node and the script. */
  program: readonly [string, ...string[]];
  /** The backend for jobs, if it was given when the server was started. */
  backend?: string;
  threads?: number;
  /** Seconds without a question after which the process of the model ends. */
  idleSeconds?: number;
  /** The Redis from which workers take jobs; without it they run on this machine. */
  queue?: { address: string; password?: string | undefined };
  /** The cluster that runs the jobs, with options of sbatch for each; without it they run on this machine. */
  launcher?: 'slurm';
  sbatch?: string;
  /** Milliseconds that a stopped job has to write its checkpoint; a minute when absent. */
  patience?: number;
  log: Log;
}

export async function openContext(
  options: ContextOptions,
): Promise<{ context: ServerContext; close: () => Promise<void> }> {
  const { dataFolder, publishedAt, bundledModels, version, log } = options;
  const store = new StoreLayout(dataFolder);
  const database =
    publishedAt === undefined
      ? await Database.open(store.database())
      : options.labels
        ? await Database.open(inMemory)
        : await publishedDatabase(store);
  const shared = options.labels && (await SharedLabels.open(database, options.labels));
  const commands = new Commands(options);
  const machine = thisMachine({ threads: options.threads, gpu: () => commands.mayUseGpu() });
  const jobs = await openQueue(store, options, { commands, database, machine });
  const modelFolders = [...new Set([store.models(), ...bundledModels])];
  const manifests = new ManifestCache(store, log);
  const tables = new TableAnswers();
  const context: ServerContext = {
    store,
    publishedAt,
    changeable: shared ? ['labels', 'lists', ...(options.queue ? ['jobs'] : [])] : [],
    modelFolders,
    version,
    manifests,
    columns: new ColumnCache(),
    pages: new PageCache(store, log),
    curves: new FollowedMetrics(mostPoints),
    progress: new FollowedMetrics(2),
    tokens: new TokenTexts(store, modelFolders, log),
    seedStability: new SeedStability(store, manifests),
    search: new SearchStore(store, log),
    labels: new LabelBook(shared ?? database, new AutomaticLabels(store, log)),
    lists: new ListBook(shared ?? database),
    jobs,
    model: new ModelWorker(options),
    commands,
    audit: new AuditLog(store.auditLog(), (error) => log('audit.jsonl could not be written.', error)),
    tables,
    metrics: new ServerMetrics({
      jobs: () => jobs.list(),
      subscriptions: () => jobs.watchers,
      tableBytes: () => tables.waiting,
    }),
    log,
  };
  const close = async () => {
    await jobs.close();
    await context.model.close();
    await commands.close();
    await manifests.close();
    context.metrics.close();
    shared?.close();
    await database.close();
  };
  return { context, close };
}

/** The queue of this machine or, in front of what it has kept, the one in Redis or of Slurm. */
async function openQueue(
  store: StoreLayout,
  { queue: redis, launcher, sbatch, program, backend, log, patience }: ContextOptions,
  here: Pick<JobQueueOptions, 'commands' | 'database' | 'machine'>,
): Promise<Queue> {
  const past = await JobQueue.open({ ...here, log, patience });
  try {
    // What speaks to Redis is loaded only where there is one.
    if (redis) {
      const { openRedisQueue } = await import('./workers/openRedisQueue.ts');
      return await openRedisQueue({ store, ...redis, log, past });
    }
    if (launcher === 'slurm') {
      const { SlurmQueue } = await import('./slurm/slurmQueue.ts');
      const { Slurm } = await import('./slurm/slurm.ts');
      return await SlurmQueue.open({ store, cluster: new Slurm(), program, backend, sbatch, log, past });
    }
    return past;
  } catch (error) {
    await past.close();
    await here.database.close();
    throw error;
  }
}
