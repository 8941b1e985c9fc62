/** Labels in a real browser on a real server: the page, files in and out, stars and lists, copies to counterparts, on the fixture store. */
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { writeLabels } from '../sae/labels/labelsTable.ts';
import type { LazyscopeClient } from '../server/client.ts';
import type { BrowserVisit } from './browserVisit.ts';
import { describeInBrowser, eventually } from './browserExplorer.ts';
import type { StoreLayout } from '../sae/store/layout.ts';

const run = 'fixture-topk';

describeInBrowser(
  'labels',
  (on) => {
    let visit: BrowserVisit;
    let page: Page;
    let client: LazyscopeClient;
    beforeAll(() => void ({ visit, page, client } = on));

    const looksRight = async (name: string) => expect(await visit.lookAt(name)).toEqual([]);
    const firstCells = () =>
      page.getByRole('table', { name: 'Labels' }).locator('tbody tr td:first-child a').allInnerTexts();

    test('a label typed on a feature’s page becomes its title, and stands on the page of labels with its source', async () => {
      await visit.go(`/runs/${run}/0/7`);
      await page.getByRole('textbox', { name: 'Label' }).fill('words of the sea');
      await page.getByRole('textbox', { name: 'Note' }).fill('not of rivers');
      await page.getByRole('button', { name: 'Save label' }).click();
      await page.getByRole('heading', { level: 1, name: 'words of the sea' }).waitFor();
      await visit.section('Labels');
      await page.waitForURL('**/labels');
      await page.getByRole('link', { name: 'words of the sea' }).waitFor();
      expect(await firstCells()).toEqual([
        ...[0, 1, 2, 3].map((latent) => `rule of latent ${latent}`),
        'words of the sea',
      ]);
      await looksRight('labels');
    });

    test('the page sorts, finds and filters, and its address holds all of it', async () => {
      await visit.go('/labels');
      await page.getByRole('button', { name: /^Sort by detection/ }).click();
      await page.getByRole('button', { name: /^Sort by detection/ }).click();
      await eventually(async () => (await firstCells())[0]).toBe('rule of latent 3');
      expect(page.url()).toContain('sort=detection');
      await page.getByRole('searchbox', { name: 'Find in labels and notes' }).fill('rivers');
      await eventually(firstCells).toEqual(['words of the sea']);
      await page.getByRole('searchbox', { name: 'Find in labels and notes' }).fill('');
      await page.getByRole('combobox', { name: 'Source' }).selectOption('data');
      await eventually(async () => (await firstCells()).length).toBe(4);
      await page.reload();
      await eventually(async () => (await firstCells()).length).toBe(4);
      expect(page.url()).toContain('source=data');
    });

    test('an automatic label shows its scores with the sum behind them, and becomes one’s own', async () => {
      await visit.go(`/runs/${run}/0/1`);
      const list = page.getByRole('list', { name: 'Automatic labels' });
      expect(await list.innerText()).toContain('(10/12 + 46/50) / 2 = 0.88');
      expect(await list.innerText()).toContain('chance gives 0.50');
      await looksRight('feature-labelled');
      await list.getByRole('button', { name: 'Use it' }).click();
      await eventually(async () =>
        (await client.labels.list.query({ run, seed: 0 })).map((one) => one.label),
      ).toContain('rule of latent 1');
    });

    test('the feature table shows labelled latents alone', async () => {
      await visit.go(`/runs/${run}/0`);
      await page.getByRole('group', { name: 'With or without a label' }).getByText('Labelled').click();
      const rows = page.getByRole('table', { name: 'Latents' }).locator('tbody tr');
      const { total } = await client.features.list.query({
        run,
        seed: 0,
        filter: { labelled: true, dead: false },
      });
      expect(total).toBeGreaterThan(2);
      await eventually(() => rows.count()).toBe(total);
      expect(page.url()).toContain('labelled=yes');
    });

    test('a star and a list have addresses of their own', async () => {
      await visit.go(`/runs/${run}/1/9`);
      await page.getByRole('button', { name: /^Star latent 9/ }).click();
      await page.getByRole('button', { name: /^Star latent 9/, pressed: true }).waitFor();
      await page.getByRole('combobox', { name: 'Name of a list' }).fill('for the talk');
      await page.getByRole('button', { name: 'Add to list' }).click();
      await page.getByRole('link', { name: 'for-the-talk' }).click();
      await page.waitForURL('**/labels?list=for-the-talk');
      await page.getByRole('heading', { level: 1, name: 'List for-the-talk' }).waitFor();
      await eventually(firstCells).toEqual(['Latent 9']);
      // How many labels the whole store has of each source is for the page of all of them.
      expect(await page.getByText('Detection and fuzzing are').textContent()).toMatch(/^Detection/);
      // Copies and files are of all labels, and have their place there.
      expect(await page.getByRole('heading', { name: /Copy to counterparts|Import labels/ }).count()).toBe(0);
      expect(await page.locator('a[aria-current=page]', { hasText: 'for-the-talk' }).count()).toBe(1);
      await looksRight('labels-list');
      // What filters a list leaves it when it goes.
      await page.getByRole('searchbox', { name: 'Find in labels and notes' }).fill('no such words');
      await page.getByRole('button', { name: 'Clear the filters' }).click();
      await eventually(firstCells).toEqual(['Latent 9']);
      expect(page.url()).toMatch(/labels\?list=for-the-talk$/);
      await visit.go('/labels?list=never-made');
      await page.getByText("There is no list 'never-made'").waitFor();
      expect(await page.getByRole('button', { name: /^Remove the list/ }).count()).toBe(0);
      await visit.go('/labels?list=starred');
      await eventually(firstCells).toEqual(['Latent 9']);
    });

    test('a file goes out, and one that comes in says line by line what it could not take', async () => {
      await visit.go(`/labels?run=${run}&seed=0`);
      await page.getByRole('link', { name: 'words of the sea' }).waitFor();
      // One button for CSV, beside what it saves.
      const csv = page
        .getByRole('group', { name: /^Save .+ labels? as$/ })
        .getByRole('button', { name: 'CSV' });
      expect(await page.getByRole('button', { name: /CSV/ }).count()).toBe(1);
      const [download] = await Promise.all([page.waitForEvent('download'), csv.click()]);
      const text = await readFile((await download.path())!, 'utf8');
      expect(text).toContain(`${run},0,7,words of the sea,not of rivers,hand,`);
      await page.getByLabel('File', { exact: true }).setInputFiles({
        name: 'mine.csv',
        mimeType: 'text/csv',
        buffer: Buffer.from(`run,seed,latent,label\n${run},2,4,from a file\n${run},2,64,too far\n`),
      });
      await page.getByRole('button', { name: 'Say what would happen' }).click();
      await page.getByText('1 label would be taken; 1 skipped').waitFor();
      expect(await client.labels.list.query({ run, seed: 2 })).toEqual([]);
      await page.getByRole('button', { name: 'Import', exact: true }).click();
      await page.getByText('1 label taken; 1 skipped').waitFor();
      await page.getByText(`run '${run}' has no latents beyond 63 (line 3)`).waitFor();
      expect(await client.labels.list.query({ run, seed: 2 })).toMatchObject([
        { latent: 4, label: 'from a file' },
      ]);
      await looksRight('labels-import');
    });

    test('a label is copied to the counterparts in the other seeds, which say where it comes from', async () => {
      const { rows } = await client.features.list.query({ run, seed: 0, filter: { minStability: 1 } });
      const { latent } = rows[0]!;
      await client.labels.set.mutate({ run, seed: 0, latent, label: 'to be carried' });
      await visit.go(`/runs/${run}/0/${latent}`);
      await page.getByRole('button', { name: 'Copy to counterparts' }).click();
      await page.getByText('Copied 2 labels.').waitFor();
      await page
        .getByRole('status')
        .getByRole('link', { name: new RegExp(`${run} seed 1`) })
        .click();
      await page.getByRole('heading', { level: 1, name: 'to be carried' }).waitFor();
      await page.getByText(`carried from`).first().waitFor();
      await looksRight('feature-carried');
      expect(visit.takeTroubles()).toEqual([]);
    });
  },
  { prepare: labelled },
);

/** Labels of a rule for four latents. */
async function labelled(store: StoreLayout): Promise<void> {
  await writeLabels(
    store.automaticLabels(run, 0, 'data'),
    [0, 1, 2, 3].map((latent) => ({
      latent,
      label: `rule of latent ${latent}`,
      model: null,
      createdAt: '2026-01-02T03:04:05.000Z',
      detection: {
        positives: 12,
        truePositives: 12 - 2 * latent,
        negatives: 50,
        trueNegatives: 46,
        unanswered: 0,
      },
      fuzzing: { positives: 12, truePositives: 11, negatives: 50, trueNegatives: 49, unanswered: 0 },
    })),
  );
}
