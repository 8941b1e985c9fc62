/** A real server over a fixture store, with the real command line for its jobs, and a real client. For tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoreLayout } from '../sae/store/layout.ts';
import { createLazyscopeClient } from './client.ts';
import type { LazyscopeClient } from './client.ts';
import { writeFixtureStore } from './fixtures/writeFixtureStore.ts';
import { serve } from './serve.ts';
import type { RunningServer, ServeOptions } from './serve.ts';

export interface TestServer {
  store: StoreLayout;
  server: RunningServer;
  client: LazyscopeClient;
  /** The lines that the server logged. */
  log: string[];
  /** Closes the server and opens another on the same store. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const program = [process.execPath, join(import.meta.dirname, '..', 'scripts', 'lazyscope.mjs')] as const;

export async function startTestServer(options: Partial<ServeOptions> = {}): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-server-'));
  const store = await writeFixtureStore(folder);
  const log: string[] = [];
  const start = () =>
    serve({
      dataFolder: folder,
      bundledModels: [],
      version: '0.0.0-test',
      program,
      port: 0,
      log: (line) => log.push(line),
      ...options,
    });
  const connect = ({ url }: RunningServer) =>
    createLazyscopeClient({ url, ...(options.token === undefined ? {} : { token: options.token }) });
  const server = await start();
  const test: TestServer = {
    store,
    server,
    client: connect(server),
    log,
    async restart() {
      await test.server.close();
      test.server = await start();
      test.client = connect(test.server);
    },
    async stop() {
      await test.server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return test;
}
