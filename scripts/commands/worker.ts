/** `lazyscope worker`: runs jobs that a server or a command on the same data folder has put into a Redis. */
import { hostname } from 'node:os';
import { Command } from 'commander';
import { isBucketAddress } from '../../sae/store/remote/address.ts';
import { environment, program } from '../commandLine/environment.ts';
import { reading } from '../commandLine/commanderOption.ts';
import { positiveInteger, withCommonOptions } from '../commandLine/options.ts';
import { runCommand, type Session } from '../commandLine/runCommand.ts';

interface WorkerFlags {
  queue: string;
  concurrency: number;
  resources?: string;
  lease: number;
}

export function workerCommand(): Command {
  const command = new Command('worker').description(
    'run jobs that a server with --queue, or train --queue, has put into a Redis',
  );
  return withCommonOptions(command)
    .requiredOption('--queue <address>', 'the Redis: redis://host:6379, or rediss://… for TLS')
    .option('--concurrency <n>', 'jobs at a time, which share the cores', positiveInteger, 1)
    .option(
      '--resources <list>',
      'what there is for jobs: gpu=1,memory=16GB; by default no GPU, and the memory of the machine',
    )
    .option(
      '--lease <seconds>',
      'after which a job is given to another worker if this one has died',
      leaseSeconds,
      30,
    )
    .action((given: WorkerFlags) =>
      runCommand(command, async (session) => {
        const { name, work } = await startWorker(session, given);
        return { document: { worker: name }, text: '', stay: work };
      }),
    );
}

const leaseSeconds = reading({ type: 'number', min: 2, max: 3600, doc: '' });

async function startWorker(session: Session, given: WorkerFlags) {
  const { store, say, signal } = session;
  const { backend, threads: asked, data } = session.options;
  const [{ Broker }, { Leases }, { queueAddress }, { readQueueId }, { parseResources }, { runJobs }] =
    await Promise.all([
      import('../../server/workers/broker.ts'),
      import('../../server/workers/leases.ts'),
      import('../../server/workers/queueAddress.ts'),
      import('../../server/workers/queueId.ts'),
      import('../../server/workers/resources.ts'),
      import('../../server/workers/runJobs.ts'),
    ]);
  const { Commands } = await import('../../server/jobs/commands.ts');
  const { thisMachine } = await import('../../server/jobs/machineShare.ts');
  const address = queueAddress(given.queue, environment.queuePassword);
  const machine = thisMachine({ threads: asked, gpu: () => false });
  const resources = parseResources(given.resources ?? `memory=${machine.memory}`, { gpu: 0, memory: machine.memory }); // prettier-ignore
  const { concurrency } = given;
  const threads = asked ?? Math.max(1, Math.floor(machine.cores / concurrency));
  const log = (line: string, details?: unknown) => {
    say(line);
    if (details !== undefined)
      say(details instanceof Error ? (details.stack ?? details.message) : String(details));
  };
  const broker = await Broker.open(address, await readQueueId(store), log);
  const name = `${hostname()}/${process.pid}`;
  const commands = new Commands({
    program,
    // Each command has a cache of its own for a store in a bucket.
    dataFolder: data !== undefined && isBucketAddress(data) ? data : store.root,
    ...(backend === undefined || backend === 'auto' ? {} : { backend }),
    threads,
    log,
  });
  const record = { name, since: new Date().toISOString(), concurrency, threads, ...resources };
  const leases = new Leases(broker, { seconds: given.lease, record, log });
  say(`Worker ${name} takes jobs of '${store.root}' from ${address.shown}  (Ctrl-C gives back what it has)`);
  const work = async () => {
    await runJobs({ leases, commands, concurrency, resources, log, signal });
    await leases.close();
    await broker.close();
  };
  return { name, work };
}
