/** A published site in a browser, from a plain host of files under a path of its own. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { serveFolder, type StaticServer } from '../../sae/fixtures/staticServer.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { buildPages } from '../../scripts/site/buildPages.ts';
import { Database } from '../../server/database.ts';
import { writeFixtureStore } from '../../server/fixtures/writeFixtureStore.ts';
import { AutomaticLabels } from '../../server/queries/automaticLabels.ts';
import { LabelBook } from '../../server/queries/labelBook.ts';
import { ListBook } from '../../server/queries/listBook.ts';
import { publishSite } from '../../server/site/publishSite.ts';
import { eventually, screenshots } from '../browserExplorer.ts';
import { BrowserVisit } from '../browserVisit.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const hasChromium = existsSync(executablePath);
const name = hasChromium
  ? 'a published site'
  : `a published site: SKIPPED, no Chromium at ${executablePath} (set CHROMIUM_PATH)`;

const sections = ['Overview', 'Runs', 'Compare', 'Search', 'Labels', 'Lazy neurons'];

/** A label and a list. */
async function writeWords(store: StoreLayout): Promise<void> {
  const feature = { run: 'fixture-topk', seed: 0, latent: 9 };
  const database = await Database.open(store.database());
  try {
    await new LabelBook(database, new AutomaticLabels(store, () => {})).write([
      { ...feature, label: 'the open sea', note: 'and ships', source: { kind: 'hand' } },
    ]);
    await new ListBook(database).add({ name: 'nautical', features: [feature, { ...feature, latent: 3 }] });
  } finally {
    await database.close();
  }
}

describe.skipIf(!hasChromium)(name, () => {
  let folder: string;
  let host: StaticServer;
  let visit: BrowserVisit;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lazyscope-site-'));
    const store = await writeFixtureStore(join(folder, 'data'));
    await writeWords(store);
    await mkdir(screenshots, { recursive: true });
    const { out } = await publishSite({
      store,
      runs: ['fixture-topk'],
      reports: ['fixture-gelu'],
      out: join(folder, 'site'),
      putPages: (place) => buildPages({ root: join(import.meta.dirname, '..', '..'), out: place }),
      bundledModels: [],
      version: '0.0.0',
      withStore: true,
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
    ['site-labels', '/#/labels', 'Labels'],
    ['site-list', '/#/labels?list=nautical', 'Labels'],
    ['site-search', '/#/search?text=the', 'Search'],
    ['site-lazy', '/#/lazy', 'Lazy neurons'],
    ['site-emergence', '/#/lazy/emergence', 'Emergence of lazy neurons'],
    ['site-layer', '/#/lazy/fixture-relu/1', 'Layer 1 of fixture-relu'],
    ['site-neuron', '/#/lazy/fixture-relu/0/5', 'Neuron 5 of layer 0, fixture-relu'],
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

  test('neurons are sorted and filtered in the browser, and links lead from layer to neuron to latent', async () => {
    const { page } = visit;
    await open('/#/lazy/fixture-relu/0?firing=firing&sort=frequency&order=asc');
    const frequencies = async () =>
      (await page.locator('main table tbody tr td:nth-child(2)').allInnerTexts()).map(Number.parseFloat);
    const lazy = await frequencies();
    expect(lazy.length).toBeGreaterThan(10);
    expect(lazy).toEqual(lazy.toSorted((a, b) => a - b));
    expect(lazy[0]).toBeGreaterThan(0);
    await page.getByRole('group', { name: 'Which neurons' }).getByText('Dead').click();
    await eventually(address).toContain('firing=dead');
    await eventually(async () => (await frequencies()).every((share) => share === 0)).toBe(true);
    await open('/#/lazy/fixture-relu/0/5');
    await page.locator('main a[href^="#/runs/fixture-topk/"]').first().click();
    await eventually(() => page.locator('h1').innerText()).toMatch(/^Latent /);
    expect(visit.takeTroubles()).toEqual([]);
  });

  test('the jump box leads to latents, labels, reports and pages of the study, and to no others', async () => {
    const { page } = visit;
    await open('/');
    const jump = async (typed: string) => {
      await page.keyboard.press('Control+k');
      await page.getByRole('combobox', { name: 'Run, seed and latent' }).fill(typed);
    };
    const options = () => page.getByRole('listbox', { name: 'Places' }).getByRole('option').allInnerTexts();
    await jump('');
    expect((await options()).join('\n')).not.toMatch(/Jobs/);
    await jump('open sea');
    await eventually(async () => (await options())[0]).toContain('the open sea');
    await page.keyboard.press('Enter');
    await eventually(address).toBe('#/runs/fixture-topk/0/9');
    await jump('topk 1 4');
    await page.keyboard.press('Enter');
    await eventually(address).toBe('#/runs/fixture-topk/1/4');
    await jump('Niagara');
    await page.getByRole('option', { name: 'Search for “Niagara”' }).click();
    await eventually(address).toBe('#/search?text=Niagara');
    await eventually(() => page.locator('main mark').count()).toBeGreaterThan(0);
    await jump('gelu');
    await page.keyboard.press('Enter');
    await eventually(address).toMatch(/^#\/lazy/);
    expect(visit.takeTroubles()).toEqual([]);
  });

  test('tables lie beside the pages, and those that the page has are saved as CSV', async () => {
    const { page } = visit;
    await open('/#/lazy/fixture-relu/0');
    const whole = page.getByRole('link', { name: 'Save the table of neurons as Parquet' });
    const bytes = await page.evaluate(
      async (link) => (await fetch(link)).text(),
      await whole.evaluate((link) => (link as HTMLAnchorElement).href),
    );
    expect(bytes.slice(0, 4)).toBe('PAR1');
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save the table of neurons as CSV' }).click();
    const download = await saved;
    expect(download.suggestedFilename()).toBe('fixture-relu-0-neurons.csv');
    const text = await readFile(await download.path(), 'utf8');
    expect(text.split('\r\n')[0]).toMatch(/^layer,neuron,frequency,/);
    expect(visit.takeTroubles()).toEqual([]);
  });

  test('nothing that needs a server is offered', async () => {
    const { page } = visit;
    await open('/#/runs/fixture-topk/0/3');
    const nav = page.getByRole('navigation', { name: 'Sections' });
    expect(await nav.getByRole('link').allInnerTexts()).toEqual(sections);
    expect(await page.getByRole('textbox').count()).toBe(0);
    for (const path of ['/', '/#/runs/fixture-topk/0/3', '/#/labels?list=nautical', '/#/lazy', '/#/lazy/fixture-relu/0/5']) {
      await open(path);
      expect(await page.locator('a[href^="/"], a[href*="/jobs"], a[href*="/playground"]').count(), path).toBe(0);
      expect(await page.getByRole('button', { name: /star|remove|import|carry/i }).count(), path).toBe(0);
    } // prettier-ignore
    expect(visit.takeTroubles()).toEqual([]);
  });
});
