/**
 * A server that is killed while it takes labels and runs a job: every label whose writing it had confirmed is there when it has
 * started again, and the job isn't said to run any more unless it does.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreLayout } from '../../sae/store/layout.ts';
import { createLazyscopeClient, type LazyscopeClient } from '../../server/client.ts';
import { run } from './killedWorks.ts';
import { LabelLedger } from './labelLedger.ts';

const script = join(import.meta.dirname, '..', 'lazyscope.mjs');
/** Labels are for the latents from 0 on, again and again. */
const latents = 200;

interface Serving {
  client: LazyscopeClient;
  /** Resolves once the process is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
}

async function serving(folder: string): Promise<Serving> {
  const store = new StoreLayout(folder);
  await rm(store.serverAddress(), { force: true });
  const child = spawn(process.execPath, [script, 'serve', '--port=0', '--no-explorer', `--data=${folder}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-1000)));
  const closed = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  while (!existsSync(store.serverAddress())) {
    if (child.exitCode !== null) throw new Error(`the server did not start: ${said}`);
    await sleep(20);
  }
  const { url } = JSON.parse(await readFile(store.serverAddress(), 'utf8')) as { url: string };
  return {
    client: createLazyscopeClient({ url }),
    end: (signal) => {
      child.kill(signal);
      return closed;
    },
  };
}

/** Kills a server `kills` times, each after another share of two seconds. What was lost, in words; nothing when all is well. */
export async function killedServer(folder: string, shares: readonly number[]): Promise<string[]> {
  const ledger = new LabelLedger();
  const lost: string[] = [];
  for (const [round, share] of shares.entries()) {
    const server = await serving(folder);
    const job = await server.client.jobs.start.mutate({ kind: 'index', options: { run } });
    const writing = writeLabels(server.client, round, ledger);
    await sleep(2_000 * share);
    await server.end('SIGKILL');
    await writing;
    const next = await serving(folder);
    const labels = await next.client.labels.list.query({ run, seed: 0 });
    lost.push(...ledger.lost(new Map(labels.map(({ latent, label }) => [latent, label]))));
    const { status } = await next.client.jobs.get.query({ id: job.id });
    if (!['lost', 'done'].includes(status)) lost.push(`the job of a killed server is '${status}'`);
    await next.end('SIGTERM');
  }
  return lost;
}

async function writeLabels(client: LazyscopeClient, round: number, ledger: LabelLedger): Promise<void> {
  for (let at = 0; ; at++) {
    const latent = at % latents;
    const label = `round ${round}, number ${at}`;
    ledger.sent(latent, label);
    try {
      await client.labels.set.mutate({ run, seed: 0, latent, label });
    } catch {
      return;
    }
    ledger.confirmed(latent, label);
  }
}
