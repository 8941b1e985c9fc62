/** Search in a real browser on a real server: the page, the feature table's box and Ctrl-K, on the fixture store. */
import { rm } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import type { LazyscopeClient } from '../server/client.ts';
import type { StoreLayout } from '../sae/store/layout.ts';
import type { BrowserVisit } from './browserVisit.ts';
import { describeInBrowser } from './browserExplorer.ts';

describeInBrowser('search', (on) => {
  let store: StoreLayout;
  let visit: BrowserVisit;
  let page: Page;
  let client: LazyscopeClient;
  beforeAll(() => void ({ store, visit, page, client } = on));

  const marks = () => page.locator('main mark').allInnerTexts();
  const looksRight = async (name: string) => expect(await visit.lookAt(name)).toEqual([]);

  test('the page finds a phrase, marks it, keeps it in the address and leads to the feature', async () => {
    await visit.go('/');
    await visit.section('Search');
    await page.waitForURL('**/search');
    await page.getByRole('searchbox', { name: 'Words or a phrase' }).fill('magic stream');
    await page.locator('main mark').first().waitFor();
    const found = await client.search.find.query({ text: 'magic stream' });
    expect(page.url()).toContain('text=magic+stream');
    expect(await page.locator('main li').count()).toBe(found.rows.length);
    expect(new Set((await marks()).map((mark) => mark.trim()))).toEqual(new Set(['magic stream']));
    expect(await page.locator('main').innerText()).toContain('6 dictionaries searched');
    await looksRight('search');
    const [first] = found.rows;
    await page
      .getByRole('link', { name: `Latent ${first!.latent}` })
      .first()
      .click();
    await page.waitForURL(`**/runs/${first!.run}/${first!.seed}/${first!.latent}`);
    await page.goBack();
    await page.locator('main mark').first().waitFor();
  });

  test('one run is searched alone, what is not there is said, and looks like commands do no harm', async () => {
    await visit.go('/search?text=niagara');
    await page.locator('main mark').first().waitFor();
    await page.getByRole('combobox', { name: 'Run' }).selectOption('fixture-relu');
    await page.getByText('3 dictionaries searched').waitFor();
    expect(await page.locator('main li').getByText('fixture-topk').count()).toBe(0);
    for (const text of ['zzzz', "'; DROP TABLE labels; --", '<img src=x onerror=alert(1)>']) {
      await page.getByRole('searchbox', { name: 'Words or a phrase' }).fill(text);
      await page.getByText(`Nothing found for “${text}”`).waitFor();
    }
    await looksRight('search-nothing');
  });

  test('the feature table’s box finds a phrase, and shows it', async () => {
    await visit.go('/runs/fixture-topk/1');
    await page
      .getByRole('searchbox', { name: 'Find in examples, tokens and labels, or #latent' })
      .fill('Magic  Stream');
    await page.locator('main mark').first().waitFor();
    const { rows } = await client.features.list.query({
      run: 'fixture-topk',
      seed: 1,
      filter: { text: 'magic stream', dead: false },
    });
    expect(await page.getByRole('table', { name: 'Latents' }).locator('tbody tr').count()).toBe(rows.length);
    expect((await marks()).every((mark) => mark.trim() === 'magic stream')).toBe(true);
    await looksRight('features-found');
  });

  test('Ctrl-K finds features by words, and leads to the page with all of them', async () => {
    await visit.go('/');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').fill('niagara');
    const [first] = (await client.search.find.query({ text: 'niagara', limit: 5 })).rows;
    await page
      .getByRole('option', { name: `${first!.run} / seed ${first!.seed} / latent ${first!.latent}:` })
      .waitFor();
    await page.getByRole('option', { name: 'Search for “niagara” in all examples' }).click();
    await page.waitForURL('**/search?text=niagara');
    await page.locator('main mark').first().waitFor();
    expect(visit.takeTroubles()).toEqual([]);
  });

  test('a dictionary without a search index is named with the command that makes it', async () => {
    await rm(store.searchIndex('fixture-relu', 2));
    await visit.go('/search?text=niagara');
    await page.getByText('npx lazyscope index fixture-relu --search-only').waitFor();
    await looksRight('search-missing');
    await visit.go('/runs/fixture-relu/2?token=sea');
    await page.getByText('npx lazyscope index fixture-relu --search-only').waitFor();
    expect(await page.getByRole('table', { name: 'Latents' }).locator('tbody tr').count()).toBeGreaterThan(0);
  });
});
