/** What is done by workers that are killed: a sweep of eight runs, and a capture, an index and comparisons in parts. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreLayout } from '../../sae/store/layout.ts';
import { writeFixtureStore } from '../../server/fixtures/writeFixtureStore.ts';
import { finalBytes } from '../chaos/finalBytes.ts';

const script = join(import.meta.dirname, '..', 'lazyscope.mjs');

export interface KilledWork {
  /** What it is called in reports. */
  name: string;
  /** What workers do, without the queue. */
  commands: readonly (readonly string[])[];
  /** A store in which it can be done. */
  prepare(store: string): Promise<void>;
  /** What it leaves: a checksum of every file that it makes. */
  made(store: string): Promise<Map<string, string>>;
  /** What is wrong with what its commands printed, in words. */
  wrong(documents: readonly unknown[]): string | undefined;
}

/** The same commands on one machine that is left alone. */
export async function doneAlone(work: KilledWork, store: string): Promise<Map<string, string>> {
  await work.prepare(store);
  for (const command of work.commands) {
    // How it is split says nothing without workers.
    const args = command.filter((arg) => !arg.startsWith('--parts='));
    await call([...args, `--data=${store}`]);
  }
  return work.made(store);
}

async function call(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [script, ...args], { stdio: 'ignore' });
  const status = await new Promise((resolve) => child.once('exit', resolve));
  if (status !== 0) throw new Error(`'${args.slice(0, 2).join(' ')}' failed undisturbed: ${String(status)}`);
}

const sweepFile = (tokens: number, checkpointEvery: number) => `
capture: fixture
tokens: ${tokens}
architectures: [topk, relu]
hooks: [blocks.0.hook_resid_post]
widths: [128, 192]
k: [4, 8]
sparsityCoefficients: [3, 5]
seeds: [0, 1]
settings: { batchSize: 64, checkpointEvery: ${checkpointEvery} }
`;

/** Eight runs. Checkpoints are frequent where there are kills: what was computed since the last one is computed again. */
export async function sweepWork(
  folder: string,
  { tokens, checkpointEvery }: { tokens: number; checkpointEvery: number },
): Promise<KilledWork> {
  const fixture = await writeFixtureStore(join(folder, 'fixture'));
  const file = join(folder, 'sweep.yaml');
  await writeFile(file, sweepFile(tokens, checkpointEvery));
  return {
    name: 'sweeps of 8 runs',
    commands: [['train', file]],
    prepare: async (store) => cp(fixture.captures(), new StoreLayout(store).captures(), { recursive: true }),
    made: (store) => finalBytes(join(store, 'runs')),
    wrong: ([document]) => {
      const { runs } = document as { runs: { status: string }[] };
      const done = runs.filter((run) => run.status === 'complete').length;
      return done === 8 ? undefined : `${done} of 8 runs are complete`;
    },
  };
}

/** Everything that is split: sizes are such that each part has several blocks, and not all as many. */
export async function splitWork(folder: string): Promise<KilledWork> {
  const fixture = await writeFixtureStore(join(folder, 'fixture'));
  await call(['train', '--architecture=topk', '--capture=fixture', '--name=wide', '--width=1500', '--k=4', '--seeds=0-2', '--tokens=6400', '--batch-size=64', `--data=${fixture.root}`]); // prettier-ignore
  return {
    name: 'split captures, indexes and comparisons',
    commands: [
      ['capture', '--model=fixture-relu', '--text=dataset:moby-dick', '--hook=blocks.0.hook_resid_post', '--hook=blocks.0.mlp.hook_post', '--name=split', '--max-tokens=120000', '--context-length=32', '--shard-bytes=900000', '--parts=5'],
      ['index', 'wide', '--parts=3'],
      ['compare', 'wide', '--parts=4'],
    ],
    prepare: (store) => cp(fixture.root, store, { recursive: true }),
    made: async (store) => {
      const of = ['captures', 'runs', 'comparisons', 'vocabularies', 'texts'];
      const all = await Promise.all(
        of.map(async (name) => [...(await finalBytes(join(store, name)))].map(([path, sum]) => [`${name}/${path}`, sum] as const)), // prettier-ignore
      );
      return new Map(all.flat());
    },
    wrong: ([capture, index, compare]) => {
      const { tokens } = capture as { tokens: number };
      const { indexed } = index as { indexed: unknown[] };
      const { comparisons } = compare as { comparisons: unknown[] };
      return tokens > 0 && indexed.length === 3 && comparisons.length === 3
        ? undefined
        : `there are ${tokens} tokens, ${indexed.length} of 3 indexes and ${comparisons.length} of 3 comparisons`;
    },
  }; // prettier-ignore
}

/** Whether parts were left that nobody needs any more. */
export const leavesParts = (store: string) => existsSync(new StoreLayout(store).parts());
