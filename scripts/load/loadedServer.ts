/** A server as a process of its own over the fixture store, and what it says of itself. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { again } from './explorers.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { createLazyscopeClient, type LazyscopeClient } from '../../server/client.ts';

export interface LoadedServer {
  url: string;
  port: number;
  client: LazyscopeClient;
  /** Figures of /api/metrics by their names there. */
  figures<const Name extends string>(...names: Name[]): Promise<Record<Name, number>>;
  figure(name: string): Promise<number>;
  /** Has it collect its garbage. */
  collect(): Promise<void>;
  /** Ends it, after ten seconds by force. */
  stop(): Promise<void>;
}

/** The server's process collects all that it can at this signal; it is not told so by anything of the product. */
const collects = [
  '--expose-gc',
  '--import',
  `data:text/javascript,${encodeURIComponent("process.on('SIGUSR2', () => gc())")}`,
];

export async function loadedServer(store: StoreLayout): Promise<LoadedServer> {
  const script = join(import.meta.dirname, '..', 'lazyscope.mjs');
  const args = [script, 'serve', '--port=0', '--no-explorer', `--data=${store.root}`];
  const child = spawn(process.execPath, [...collects, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  // Whatever ends this process ends the server.
  process.once('exit', () => child.kill('SIGKILL'));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
  const closed = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  while (!existsSync(store.serverAddress())) {
    if (child.exitCode !== null) throw new Error(`the server did not start: ${said}`);
    await sleep(20);
  }
  const { url } = JSON.parse(await readFile(store.serverAddress(), 'utf8')) as { url: string };
  const figures = async <Name extends string>(...names: Name[]) => {
    const text = await again(async () => (await fetch(`${url}/api/metrics`)).text());
    const lines = text.split('\n');
    const found = names.map((name): [Name, number] => {
      const line = lines.find((one) => one.startsWith(`${name} `));
      if (!line) throw new Error(`the server says nothing of ${name}`);
      return [name, Number(line.slice(name.length + 1))];
    });
    return Object.fromEntries(found) as Record<Name, number>;
  };
  return {
    url,
    port: Number(new URL(url).port),
    client: createLazyscopeClient({ url }),
    figures,
    figure: async (name) => (await figures(name))[name],
    async collect() {
      child.kill('SIGUSR2');
      // It answers once that is done.
      await sleep(100);
      await figures('process_resident_memory_bytes');
    },
    async stop() {
      child.kill('SIGTERM');
      const byForce = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await closed;
      clearTimeout(byForce);
    },
  };
}
