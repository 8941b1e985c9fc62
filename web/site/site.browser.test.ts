/** A published site in a browser, from a plain host of files under a path of its own. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { serveFolder, type StaticServer } from '../../sae/fixtures/staticServer.ts';
import { buildPages } from '../../scripts/site/buildPages.ts';
import { writeFixtureStore } from '../../server/fixtures/writeFixtureStore.ts';
import { publishSite } from '../../server/site/publishSite.ts';
import { eventually, screenshots } from '../browserExplorer.ts';
import { BrowserVisit } from '../browserVisit.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const hasChromium = existsSync(executablePath);
const name = hasChromium
  ? 'a published site'
  : `a published site: SKIPPED, no Chromium at ${executablePath} (set CHROMIUM_PATH)`;

describe.skipIf(!hasChromium)(name, () => {
  let folder: string;
  let host: StaticServer;
  let visit: BrowserVisit;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lazyscope-site-'));
    const store = await writeFixtureStore(join(folder, 'data'));
    await mkdir(screenshots, { recursive: true });
    const { out } = await publishSite({
      store,
      runs: ['fixture-topk'],
      out: join(folder, 'site'),
      putPages: (place) => buildPages({ root: join(import.meta.dirname, '..', '..'), out: place }),
      bundledModels: [],
      version: '0.0.0',
      withStore: false,
      log: () => {},
    });
    host = await serveFolder(out, { under: '/people/me/study', ranges: false });
    visit = await BrowserVisit.open({ executablePath, url: host.url, screenshots });
  });
  afterAll(async () => {
    await visit?.close();
    await host?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Loads a page anew: an address that differs after the # alone would load nothing. */
  async function open(path: string) {
    await visit.page.goto('about:blank');
    await visit.go(path);
  }
  const address = () => new URL(visit.page.url()).hash;

  test.each([
    ['site-overview', '/', 'Lazyscope'],
    ['site-runs', '/#/runs', 'Runs'],
    ['site-run', '/#/runs/fixture-topk', 'fixture-topk'],
    ['site-features', '/#/runs/fixture-topk/0', 'Features of fixture-topk, seed 0'],
    ['site-feature', '/#/runs/fixture-topk/0/3', 'Latent 3 of fixture-topk, seed 0'],
    ['site-reproducibility', '/#/runs/fixture-topk/reproducibility', 'Reproducibility of fixture-topk'],
    ['site-comparisons', '/#/compare', 'Compare'],
    ['site-left-out', '/#/jobs', 'Not in this study'],
  ])('%s shows its content at both widths and in both themes', async (picture, path, title) => {
    await open(path);
    expect(await visit.page.title()).toContain(title);
    expect(await visit.lookAt(picture)).toEqual([]);
  });

  test('a comparison, with its map and its threshold', async () => {
    await open('/#/compare');
    await visit.page.locator('main a[href^="#/compare/"]').first().click();
    await eventually(address).toMatch(/^#\/compare\/./);
    await visit.settled();
    await eventually(() => visit.page.locator('main figure svg[role=img]').count()).toBeGreaterThan(0);
    expect(await visit.lookAt('site-comparison')).toEqual([]);
  });

  test('the table of latents is sorted, filtered and searched in the browser', async () => {
    const { page } = visit;
    await open('/#/runs/fixture-topk/0?alive=all');
    const latents = () => page.locator('main table tbody tr td:first-child').allInnerTexts();
    const before = await latents();
    await page.locator('main thead th').first().getByRole('button').click();
    await eventually(address).toContain('sort=latent');
    await eventually(latents).not.toEqual(before);
    const search = page.locator('main input[type=search]');
    await search.fill('#7');
    await eventually(latents).toEqual(['7']);
    await search.fill('zzzzzz');
    await eventually(() => page.getByText('No latent passes these filters').count()).toBe(1);
    await page.goBack();
    await eventually(async () => (await latents()).length).toBeGreaterThan(0);
    expect(visit.takeTroubles()).toEqual([]);
  });

  test('links, keys and the back button lead from latent to latent', async () => {
    const { page } = visit;
    await open('/#/runs/fixture-topk/0/3');
    await eventually(() => page.locator('main ol li').count()).toBeGreaterThan(0);
    await page.keyboard.press('ArrowRight');
    await eventually(address).toBe('#/runs/fixture-topk/0/4');
    await eventually(() => page.locator('h1').innerText()).toBe('Latent 4');
    await page.goBack();
    await eventually(() => page.locator('h1').innerText()).toBe('Latent 3');
    await page.getByRole('navigation', { name: 'Breadcrumbs' }).getByRole('link', { name: 'Runs' }).click();
    await eventually(() => page.locator('h1').innerText()).toBe('Runs');
    // The skip link leads to the content and not to another page.
    await page.locator('.skip-link').focus();
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('content');
    expect(address()).toBe('#/runs');
    expect(visit.takeTroubles()).toEqual([]);
  });

  test('nothing that needs a server is offered', async () => {
    const { page } = visit;
    await open('/#/runs/fixture-topk/0/3');
    const nav = page.getByRole('navigation', { name: 'Sections' });
    expect(await nav.getByRole('link').allInnerTexts()).toEqual(['Overview', 'Runs', 'Compare']);
    expect(await page.getByRole('textbox').count()).toBe(0);
    expect(await page.locator('a[href^="/api"], a[href*="/jobs"], a[href*="/playground"]').count()).toBe(0);
  });
});
