/**
 * What a request costs the explorer's server on a large store, and how long people wait when many ask at once:
 *
 *     npm run bench:explorer -- [--runs 12] [--seeds 3] [--latents 24576] [--clients 50] [--seconds 15] [--pause 2] [--store FOLDER] [--json]
 *
 * The store is made first, in the temporary folder or in FOLDER, where it stays and is used again. The server is a process of its
 * own; its processor time is what it reports itself. `CPU ms` is per request, with requests one after the other: over a first round
 * in which each dictionary is asked for once, so that its files are read, and then over requests for dictionaries known. Then the
 * clients ask all kinds of questions by turns, each pausing between two as a reader does (`--pause` seconds on average, 0 for none),
 * which gives p50 and p99 of the time from question to answer.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Random } from '../../sae/numerics/random.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import { createLazyscopeClient, type LazyscopeClient } from '../../server/client.ts';
import { table } from '../commandLine/table.ts';
import { writeExplorerStore } from './explorerStore.ts';

const { values: given } = parseArgs({
  options: {
    runs: { type: 'string', default: '12' },
    seeds: { type: 'string', default: '3' },
    latents: { type: 'string', default: '24576' },
    clients: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '15' },
    pause: { type: 'string', default: '2' },
    store: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const size = { runs: Number(given.runs), seeds: Number(given.seeds), latents: Number(given.latents) };
const random = Random.fromSeed(0, 'questions');
const any = <Item>(items: readonly Item[]): Item => items[random.below(items.length)];
let asked = 0;
/** All dictionaries by turns. */
const dictionary = () => ({
  run: `bench-${asked++ % size.runs}`,
  seed: Math.floor(asked / size.runs) % size.seeds,
});

const words = ['whale', 'the captain', 'harpoon', 'of the sea', 'white whale', 'Queequeg', 'ship', 'old man'];
/** The kinds of questions; each call asks one. */
const questions: Record<string, (client: LazyscopeClient) => Promise<unknown>> = {
  'search.find': (client) => client.search.find.query({ text: any(words) }),
  'features.list': (client) =>
    client.features.list.query({
      ...dictionary(),
      sort: any(['stability', 'density', 'maxActivation'] as const),
      offset: 50 * random.below(3),
      filter: { dead: false },
    }),
  'features.list, text': (client) =>
    client.features.list.query({ ...dictionary(), filter: { text: any(words) } }),
  'features.get': (client) =>
    client.features.get.query({ ...dictionary(), latent: random.below(size.latents) }),
  'comparisons.stability': (client) => client.comparisons.stability.query({ runName: dictionary().run }),
};

const root = join(import.meta.dirname, '..', '..');
const folder = given.store ?? (await mkdtemp(join(tmpdir(), 'lazyscope-bench-')));
let server: ChildProcess | undefined;
try {
  if (!existsSync(new StoreLayout(folder).runManifest(`bench-${size.runs - 1}`)))
    await writeExplorerStore(folder, size, (line) => void process.stderr.write(`\r${line}  `));
  server = spawn(
    process.execPath,
    [join(root, 'scripts/lazyscope.mjs'), 'serve', '--no-explorer', '--port', '0', '--data', folder],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const url = await addressOf(folder, server);
  const client = createLazyscopeClient({ url });
  const costs = await costOfEach(client, url);
  const waits = await waitsOfMany(url);
  const report = { ...size, clients: Number(given.clients), pause: Number(given.pause), costs, waits };
  process.stdout.write(given.json ? `${JSON.stringify(report, null, 2)}\n` : `${written(report)}\n`);
} finally {
  server?.kill('SIGTERM');
  if (given.store === undefined) await rm(folder, { recursive: true, force: true });
}

async function addressOf(data: string, child: ChildProcess): Promise<string> {
  const path = new StoreLayout(data).serverAddress();
  const { readFile } = await import('node:fs/promises');
  for (let tries = 0; tries < 600; tries++) {
    if (child.exitCode !== null) throw new Error('The server ended.');
    if (existsSync(path)) {
      const { url, pid }: { url: string; pid?: number } = JSON.parse(await readFile(path, 'utf8'));
      if (pid === undefined || pid === child.pid) return url;
    }
    await sleep(100);
  }
  throw new Error('The server did not start within a minute.');
}

/** Processor seconds that the server has used, and the megabytes it has in memory. */
async function usage(url: string): Promise<{ seconds: number; megabytes: number }> {
  const text = await (await fetch(`${url.replace(/\/$/, '')}/api/metrics`)).text();
  const read = (name: string) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? NaN);
  return {
    seconds: read('process_cpu_user_seconds_total') + read('process_cpu_system_seconds_total'),
    megabytes: read('process_resident_memory_bytes') / 2 ** 20,
  };
}

interface Cost {
  question: string;
  /** Milliseconds of the first request, with nothing in memory. */
  firstMs: number;
  /** Processor time a request while each dictionary is asked for the first time. */
  coldCpuMs: number;
  cpuMs: number;
  wallMs: number;
  megabytes: number;
}

async function costOfEach(client: LazyscopeClient, url: string): Promise<Cost[]> {
  const costs: Cost[] = [];
  const perRequest = async (ask: (client: LazyscopeClient) => Promise<unknown>, times: number) => {
    // The server's own clock of its processor time is read when its metrics are asked for.
    const before = await usage(url);
    const from = performance.now();
    for (let i = 0; i < times; i++) await ask(client);
    const wallMs = (performance.now() - from) / times;
    const { seconds, megabytes } = await usage(url);
    return { cpuMs: (1000 * (seconds - before.seconds)) / times, wallMs, megabytes };
  };
  for (const [question, ask] of Object.entries(questions)) {
    const started = performance.now();
    await ask(client);
    const firstMs = performance.now() - started;
    const { cpuMs: coldCpuMs } = await perRequest(ask, size.runs * size.seeds);
    costs.push({ question, firstMs, coldCpuMs, ...(await perRequest(ask, 40)) });
  }
  return costs;
}

interface Wait {
  question: string;
  answers: number;
  p50: number;
  p99: number;
}

async function waitsOfMany(url: string): Promise<Wait[]> {
  const waits = new Map<string, number[]>(Object.keys(questions).map((name) => [name, []]));
  const end = performance.now() + 1000 * Number(given.seconds);
  const clientOf = async () => {
    const client = createLazyscopeClient({ url });
    await sleep(1000 * Number(given.pause) * random.uniform());
    while (performance.now() < end) {
      const [question, ask] = any(Object.entries(questions));
      const started = performance.now();
      await ask(client);
      waits.get(question)?.push(performance.now() - started);
      await sleep(2000 * Number(given.pause) * random.uniform());
    }
  };
  await Promise.all(Array.from({ length: Number(given.clients) }, clientOf));
  return [...waits].map(([question, times]) => {
    times.sort((a, b) => a - b);
    const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? NaN;
    return { question, answers: times.length, p50: at(0.5), p99: at(0.99) };
  });
}

function written({
  costs,
  waits,
  clients,
  pause,
}: {
  costs: Cost[];
  waits: Wait[];
  clients: number;
  pause: number;
}) {
  const ms = (value: number) => value.toFixed(1);
  return [
    `${size.runs} runs × ${size.seeds} seeds × ${size.latents} latents`,
    table(
      ['question', 'first ms', 'CPU ms, first round', 'CPU ms', 'wall ms', 'MB of the server'],
      costs.map((cost) => [
        cost.question,
        ms(cost.firstMs),
        ms(cost.coldCpuMs),
        ms(cost.cpuMs),
        ms(cost.wallMs),
        Math.round(cost.megabytes),
      ]),
    ),
    `${clients} clients, each pausing ${pause} s between questions on average`,
    table(
      ['question', 'answers', 'p50 ms', 'p99 ms'],
      waits.map((wait) => [wait.question, wait.answers, ms(wait.p50), ms(wait.p99)]),
    ),
  ].join('\n\n');
}
