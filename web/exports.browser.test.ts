/** What can be taken away from the explorer, in a real browser on the fixture store: pictures, numbers and whole tables. */
import { tableFromIPC } from 'apache-arrow';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import type { LazyscopeClient } from '../server/client.ts';
import type { BrowserVisit } from './browserVisit.ts';
import { describeInBrowser, screenshots } from './browserExplorer.ts';

describeInBrowser(
  'exports',
  (on) => {
    let visit: BrowserVisit;
    let page: Page;
    let client: LazyscopeClient;
    beforeAll(() => void ({ visit, page, client } = on));

    const saved = async (button: string) => {
      const saving = page.waitForEvent('download');
      await page.getByRole('button', { name: button }).first().click();
      const download = await saving;
      return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
    };
    const looksRight = async (name: string) => expect(await visit.lookAt(name)).toEqual([]);

    test.each([
      ['/runs', 'pareto-l0-fvu', 'L0 against FVU', ['TopK', 'ReLU']],
      ['/runs/fixture-topk', 'fixture-topk-density', 'Density histogram', ['seed 0', 'seed 2']],
      ['/runs/fixture-topk', 'fixture-topk-fvu', 'FVU', ['mean of 3 seeds', 'smallest to largest']],
      ['/runs/fixture-topk/0/5', 'fixture-topk-0-5-activations', 'Activation histogram', []],
      ['/compare/fixture-topk-0-1', 'fixture-topk-0-1-shared-curve', 'Shared fraction', ['shared']],
    ])('%s: “%s” as SVG and PNG has title, legend, axes and model', async (path, name, title, legend) => {
      await visit.go(path);
      await page.locator(`[aria-label="Save “${name}” as SVG"]`).waitFor();
      const { model, hook } = (await client.runs.list.query()).find((run) => run.name === 'fixture-topk')!;
      const svg = await saved(`Save “${name}” as SVG`);
      expect(svg.name).toBe(`${name}.svg`);
      const text = svg.bytes.toString();
      for (const words of [title, String(model), hook, ...legend]) expect(text).toContain(words);
      // Nothing is taken from the page any more, and the axes have names.
      expect(text).not.toMatch(/="[^"]*(var\(--|color-mix|oklab)/);
      expect(text).toMatch(/aria-label="[xy]-axis label"/);
      const [width, height] = ['width', 'height'].map((side) =>
        Number(new RegExp(`^<svg[^>]* ${side}="(\\d+)"`).exec(text)?.[1]),
      );
      const png = await saved(`Save “${name}” as PNG`);
      expect(png.name).toBe(`${name}.png`);
      expect([...png.bytes.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
      expect([png.bytes.readUInt32BE(16), png.bytes.readUInt32BE(20)]).toEqual([2 * width!, 2 * height!]);
      // A picture of one colour would compress to almost nothing.
      expect(png.bytes.length).toBeGreaterThan(4000);
      await writeFile(join(screenshots, `exported-${name}.png`), png.bytes);
    });

    test('every chart of every page offers its numbers and both pictures', async () => {
      for (const path of [
        '/runs',
        '/runs/fixture-topk',
        '/runs/fixture-topk/reproducibility',
        '/runs/fixture-topk/0/5',
        '/compare',
        '/compare/fixture-topk-0-1',
        '/lazy',
        '/lazy/emergence',
      ]) {
        await visit.go(path);
        const counted = await page.evaluate(() =>
          [...document.querySelectorAll('figure')].map((figure) =>
            [...figure.querySelectorAll('button')]
              .map((button) => button.textContent ?? '')
              .filter((word) => ['CSV', 'SVG', 'PNG'].includes(word)),
          ),
        );
        for (const offered of counted)
          expect({ path, offered }).toEqual({ path, offered: ['CSV', 'SVG', 'PNG'] });
      }
    });

    test('numbers of a chart and rows of a table as CSV', async () => {
      await visit.go('/runs');
      const runs = await client.runs.list.query();
      const pareto = await saved('Save the data of “pareto-l0-fvu” as CSV');
      const evaluated = runs.filter((run) => run.l0 !== null && run.fvu !== null);
      const lines = pareto.bytes.toString().trimEnd().split('\r\n');
      expect(lines[0]).toBe('run,seed,architecture,width,L0,FVU,CE recovered');
      expect(lines).toHaveLength(1 + evaluated.length);
      const first = evaluated[0]!;
      expect(lines).toContain(
        [
          first.name,
          first.seed,
          first.architecture,
          first.width,
          first.l0,
          first.fvu,
          first.ceRecovered,
        ].join(','),
      );
      await visit.go('/runs/fixture-topk/0');
      const rows = (await saved('CSV of the rows shown')).bytes.toString().trimEnd().split('\r\n');
      const { rows: features } = await client.features.list.query({
        run: 'fixture-topk',
        seed: 0,
        sort: 'stability',
        filter: { dead: false },
      });
      expect(rows).toHaveLength(1 + features.length);
      const latent = rows[0]!.split(',').indexOf('latent');
      expect(rows.slice(1).map((row) => Number(row.split(',')[latent]))).toEqual(
        features.map((row) => row.latent),
      );
      await looksRight('features-export');
    });

    test('the map: tokens in the tooltip, a point by the keyboard, and an outline that leads to a table of its latents', async () => {
      await visit.go('/compare/fixture-topk-0-1');
      const map = page.getByRole('application', { name: /^Map of/ });
      await map.scrollIntoViewIfNeeded();
      await page.waitForFunction(() => document.querySelector('canvas')?.dataset.seen !== undefined);
      const picture = await saved('Save “fixture-topk-0-1-map” as SVG');
      expect(picture.bytes.toString()).toMatch(/Map of both dictionaries.*shared.*data:image\/png;base64/s);
      await map.focus();
      await page.keyboard.press('Enter');
      const said = page.locator('main [aria-live="polite"]').filter({ hasText: /[ab] · latent/ });
      await expect.poll(() => said.first().textContent()).toMatch(/[ab] · latent \d+, .* on \S/);
      const before = await said.first().textContent();
      await page.keyboard.press('ArrowRight');
      await expect.poll(() => said.first().textContent()).not.toBe(before);
      await looksRight('map-keyboard');
      const [, letter, latent] = /([ab]) · latent (\d+)/.exec((await said.first().textContent()) ?? '') ?? [];
      await page.keyboard.press('Enter');
      await page.waitForURL(`**/runs/fixture-topk/${letter === 'a' ? 0 : 1}/${latent}`);
      await page.goBack();
      await map.scrollIntoViewIfNeeded();
      await page.waitForFunction(() => document.querySelector('canvas')?.dataset.seen !== undefined);
      await page.getByRole('button', { name: 'Encircle' }).click();
      const box = (await map.boundingBox())!;
      const corners = [
        [0.02, 0.02],
        [0.6, 0.02],
        [0.6, 0.98],
        [0.02, 0.98],
      ].map(([x, y]) => [box.x + x! * box.width, box.y + y! * box.height] as const);
      await page.mouse.move(...corners[0]!);
      await page.mouse.down();
      for (const corner of corners.slice(1)) await page.mouse.move(...corner, { steps: 4 });
      await page.mouse.up();
      const link = page.getByRole('link', { name: /^\d+ of a in its table/ });
      const inside = Number((await link.innerText()).split(' ')[0]);
      expect(inside).toBeGreaterThan(0);
      expect(inside).toBeLessThan(64);
      await link.click();
      await page.waitForURL('**/runs/fixture-topk/0?*latents=*');
      await page.getByText(`Only ${inside} latents that were encircled`).waitFor();
      // The heading stands before the rows have arrived.
      await expect.poll(() => page.locator('main tbody tr').count()).toBe(Math.min(50, inside));
    });

    test('what is not there is said in the heading, and offers no neighbours', async () => {
      await visit.go('/runs/fixture-topk/0/99999');
      await page.getByRole('heading', { name: 'There is no latent 99999' }).waitFor();
      expect(await page.locator('main').innerText()).toContain('it has 64');
      expect(await page.getByRole('link', { name: /next latent/i }).count()).toBe(0);
      await visit.go('/lazy/fixture-relu/9');
      await page.getByRole('heading', { name: 'There is no layer 9' }).waitFor();
      expect(await page.locator('main table').count()).toBe(0);
      await looksRight('no-such-layer');
    });

    test('whole tables are a click away, in every format', async () => {
      await visit.go('/runs/fixture-topk/0');
      const saving = page.waitForEvent('download');
      await page.getByRole('link', { name: 'Save the table of features as Arrow' }).click();
      const table = tableFromIPC(await readFile(await (await saving).path()));
      expect(table.numRows).toBe(64);
      for (const format of ['CSV', 'Parquet']) {
        const href = await page
          .getByRole('link', { name: `Save the table of examples as ${format}` })
          .getAttribute('href');
        expect((await page.request.get(`${on.server.url}${href}`)).status()).toBe(200);
      }
    });
  },
  { timeout: 180_000, startTimeout: 480_000 },
);
