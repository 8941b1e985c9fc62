/**
 * What the browser tests of the explorer share: a fixture store of their own, a real server on it, a typed client and a
 * browser. One a test file.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { StoreLayout } from '../sae/store/layout.ts';
import { createLazyscopeClient, type LazyscopeClient } from '../server/client.ts';
import { writeFixtureStore } from '../server/fixtures/writeFixtureStore.ts';
import { serve, type RunningServer, type ServeOptions } from '../server/serve.ts';
import { BrowserVisit } from './browserVisit.ts';

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const hasChromium = existsSync(executablePath);
const root = join(import.meta.dirname, '..');
export const screenshots = join(root, 'screenshots');

/** Set before the first test. */
export interface ExplorerInBrowser {
  store: StoreLayout;
  server: RunningServer;
  client: LazyscopeClient;
  visit: BrowserVisit;
  page: Page;
}

export interface BrowserSetUp {
  /** What is added to the fixture store before a server opens it. */
  prepare?: (store: StoreLayout) => Promise<void>;
  /** How the server is started besides; for a Redis that the tests have started by then. */
  serving?: () => Partial<ServeOptions>;
  /** Milliseconds for a test, and for building and starting the explorer. */
  timeout?: number;
  startTimeout?: number;
}

/** Describes a subject in a browser; its tests are skipped, and say so, where there is none. */
export function describeInBrowser(
  subject: string,
  tests: (on: ExplorerInBrowser) => void,
  { prepare, serving, timeout = 120_000, startTimeout = 240_000 }: BrowserSetUp = {},
): void {
  const name = hasChromium
    ? subject
    : `${subject}: SKIPPED, no Chromium at ${executablePath} (set CHROMIUM_PATH)`;
  describe.skipIf(!hasChromium)(name, { timeout }, () => {
    const on = {} as ExplorerInBrowser;
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'lazyscope-browser-'));
      on.store = await writeFixtureStore(folder);
      await prepare?.(on.store);
      await mkdir(screenshots, { recursive: true });
      on.server = await serve({
        dataFolder: folder,
        bundledModels: [],
        version: '0.0.0',
        program: [process.execPath, join(root, 'scripts', 'lazyscope.mjs')],
        log: () => {},
        port: 0,
        explorer: { web: import.meta.dirname, root },
        ...serving?.(),
      });
      on.client = createLazyscopeClient({ url: on.server.url });
      on.visit = await BrowserVisit.open({ executablePath, url: on.server.url, screenshots });
      on.page = on.visit.page;
    }, startTimeout);
    afterAll(async () => {
      await on.visit?.close();
      await on.server?.close();
      if (folder) await rm(folder, { recursive: true, force: true });
    });
    tests(on);
  });
}

/** Pages and server take their time on a busy machine. */
export function eventually<Value>(look: () => Promise<Value> | Value) {
  return expect.poll(look, { timeout: 20_000 });
}
