/**
 * Tests the explorer in a real browser on a real server, as a person uses it: from the runs to a
 * feature, its counterpart in another seed, the comparison and the lazy neurons. The pages' content is
 * compared with what the server's client returns, and on the fixture store with the planted features.
 *
 * LAZYSCOPE_TEST_STORE points it at another store (nothing is written to it). Screenshots stay in screenshots/.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readText } from '../sae/tokens/readText.ts';
import { createLazyscopeClient, type LazyscopeClient, type RunRow } from '../server/client.ts';
import { latents, sharedConcepts } from '../server/fixtures/fixtureDictionary.ts';
import { writeMeasuredReport } from '../server/fixtures/measuredReport.ts';
import { writeFixtureStore } from '../server/fixtures/writeFixtureStore.ts';
import { serve, type RunningServer } from '../server/serve.ts';
import { pageFaults } from './browserChecks.ts';
import { BrowserVisit } from './browserVisit.ts';
import { fixed, percent } from './format/number.ts';
import { visibleToken } from './format/tokenText.ts';

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const hasChromium = existsSync(executablePath);
const given = process.env.LAZYSCOPE_TEST_STORE;
const root = join(import.meta.dirname, '..');
const screenshots = join(root, 'screenshots');

describe.skipIf(!hasChromium)(
  hasChromium
    ? 'the explorer'
    : `the explorer: SKIPPED, no Chromium at ${executablePath} (set CHROMIUM_PATH)`,
  { timeout: 120_000 },
  () => {
    let folder: string;
    let server: RunningServer;
    let visit: BrowserVisit;
    let page: Page;
    let client: LazyscopeClient;
    let runs: RunRow[];
    const serverLog: string[] = [];

    beforeAll(async () => {
      folder = given ?? (await mkdtemp(join(tmpdir(), 'lazyscope-explorer-')));
      if (!given) await writeFixtureStore(folder);
      await mkdir(screenshots, { recursive: true });
      server = await serve({
        dataFolder: folder,
        bundledModels: [],
        version: '0.0.0',
        program: [process.execPath, join(root, 'scripts', 'lazyscope.mjs')],
        log: (line) => void serverLog.push(line),
        port: 0,
        explorer: { web: import.meta.dirname, root },
      });
      client = createLazyscopeClient({ url: server.url });
      runs = await client.runs.list.query();
      visit = await BrowserVisit.open({ executablePath, url: server.url, screenshots });
      ({ page } = visit);
    }, 240_000);

    afterAll(async () => {
      await visit?.close();
      await server?.close();
      if (!given && folder) await rm(folder, { recursive: true, force: true });
    });

    const noTroubles = () => expect(visit.takeTroubles()).toEqual([]);
    const looksRight = async (name: string) => expect(await visit.lookAt(name)).toEqual([]);
    /** Pages and server take their time on a busy machine. */
    const eventually = <Value>(look: () => Promise<Value>) => expect.poll(look, { timeout: 20_000 });
    const text = () => page.locator('main').innerText();
    const layerFrequencies = async (name: string, layer: number) => {
      const { rows } = await client.sparsity.neurons.query({ name, layer, limit: 500 });
      return rows.map((row) => row.frequency);
    };

    test('the overview answers both questions with the store’s own numbers', async () => {
      await visit.go('/');
      await page.getByText('pairs', { exact: false }).first().waitFor();
      const shown = await text();
      const comparisons = (await client.comparisons.list.query()).filter((one) => one.a.run === one.b.run);
      const run = comparisons[0]!.a.run;
      const own = comparisons.filter((one) => one.a.run === run).map((one) => one.shared);
      expect(shown).toContain(percent(own.reduce((sum, one) => sum + one, 0) / own.length));
      for (const report of (await client.sparsity.list.query()).slice(0, 4))
        expect(shown).toContain(percent(report.activationRatio));
      const overview = await client.overview.get.query();
      expect(shown).toContain(overview.features.toLocaleString('en-US'));
      await looksRight('overview');
    });

    test('runs: a table of every dictionary and a plot of sparsity against reconstruction', async () => {
      await visit.section('Runs');
      await page.waitForURL('**/runs');
      await visit.settled();
      expect(await page.title()).toBe('Runs · Lazyscope');
      expect(await page.getByRole('table', { name: 'Dictionaries' }).locator('tbody tr').count()).toBe(
        runs.length,
      );
      const plot = page.getByRole('group', { name: /FVU against L0/ });
      await plot.waitFor();
      expect(await plot.locator('[aria-label=dot] a').count()).toBe(
        runs.filter((run) => run.l0 !== null).length,
      );

      await page.getByRole('button', { name: /Sort by fvu, largest/ }).click();
      const worst = runs.filter((run) => run.fvu !== null).toSorted((a, b) => b.fvu! - a.fvu!)[0]!;
      const first = page.getByRole('table', { name: 'Dictionaries' }).locator('tbody tr').first();
      await eventually(() => first.innerText()).toContain(fixed(worst.fvu));
      expect(page.url()).toContain('sort=fvu');
      await looksRight('runs');
    });

    test('a run: its seeds’ evaluations, a curve a seed, its configuration', async () => {
      const run = stableRun().name;
      await page.getByRole('link', { name: run, exact: true }).first().click();
      await page.waitForURL(`**/runs/${run}`);
      await visit.settled();
      const detail = await client.runs.get.query({ name: run });
      const shown = await text();
      for (const seed of detail.seeds) expect(shown).toContain(percent(seed.evaluation!.ceRecovered));
      const curve = page.getByRole('img', { name: /^FVU against tokens/ });
      await curve.waitFor();
      // The mean of the seeds, in a band from the smallest to the largest.
      expect(await curve.locator('[aria-label=line] path').count()).toBe(1);
      expect(await curve.locator('[aria-label=area] path').count()).toBe(detail.seeds.length > 1 ? 1 : 0);
      expect(shown).toContain(detail.manifest.config.hook);
      await looksRight('run');
    });

    test('features: sorted, filtered and moved through with the keyboard; the address keeps it', async () => {
      const { name: run, seed } = stableRun();
      await page
        .getByRole('link', { name: `seed ${seed}`, exact: true })
        .first()
        .click();
      await page.waitForURL(`**/runs/${run}/${seed}`);
      await visit.settled();
      const rows = page.getByRole('table', { name: 'Latents' }).locator('tbody tr');
      const expected = await client.features.list.query({
        run,
        seed,
        sort: 'maxActivation',
        filter: { dead: false },
      });
      await eventually(() => rows.first().getByRole('link').innerText()).toBe(
        String(expected.rows[0]!.latent),
      );
      expect(await page.getByRole('navigation', { name: 'Pages of latents' }).innerText()).toContain(
        `of ${expected.total.toLocaleString('en-US')} latents`,
      );

      await rows.first().getByRole('link').focus();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('j');
      expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(
        String(expected.rows[2]!.latent),
      );
      await looksRight('features');

      const word = expected.rows
        .find((row) => row.topTokens[0] && /[a-z]{2}/.test(row.topTokens[0].text))!
        .topTokens[0]!.text.trim();
      await page.getByRole('searchbox', { name: /token/ }).fill(word);
      await page.waitForURL(/token=/);
      const found = await client.features.list.query({
        run,
        seed,
        sort: 'maxActivation',
        filter: { dead: false, text: word },
      });
      await eventually(() => rows.count()).toBe(Math.min(50, found.total));

      await page.reload();
      await visit.settled();
      await eventually(() => rows.count()).toBe(Math.min(50, found.total));
      noTroubles();
    });

    test('a feature: where it fires, what it says, and the same feature in another seed', async () => {
      const { feature, counterpart } = await sharedFeature();
      await visit.go(`/runs/${feature.run}/${feature.seed}/${feature.latent}`);
      const shown = await text();
      expect(shown).toContain(`Comes back in`);
      expect(shown).toContain(percent(feature.density, 2));

      // The strongest example's peak is shaded most, and says its value.
      const best = feature.examples.find((one) => one.band === 'top')!.examples[0]!;
      const example = page.getByRole('region', { name: 'Examples' }).locator('li').first();
      expect((await example.innerText()).replace(/\s/g, '')).toContain(
        best.tokens[best.position - best.start]!.text.trim(),
      );
      const shades = await example.locator('p span[title]').evaluateAll((spans) =>
        spans.map((span) => ({
          value: Number((span as HTMLElement).title),
          colour: (span as HTMLElement).style.backgroundColor,
        })),
      );
      const strength = (colour: string) => Number(/([\d.]+)%/.exec(colour)?.[1] ?? 0);
      expect(shades.length).toBeGreaterThan(0);
      const byValue = shades.toSorted((a, b) => b.value - a.value);
      expect(byValue.map((one) => strength(one.colour))).toEqual(
        byValue.map((one) => strength(one.colour)).toSorted((a, b) => b - a),
      );

      const promoted = await page
        .getByRole('region', { name: 'What it makes the model say' })
        .locator('li')
        .first()
        .innerText();
      expect(promoted.replace(/\s/g, '')).toContain(visibleToken(feature.promoted[0]!.text).trim());

      const card = page
        .locator('#counterparts li')
        .filter({ hasText: `Seed ${counterpart.seed}, latent ${counterpart.latent}` });
      expect(await card.innerText()).toContain(fixed(counterpart.decoderCosine, 2));
      expect(await card.innerText()).toContain('shared');
      await looksRight('feature');

      await card
        .getByRole('link', { name: `Seed ${counterpart.seed}, latent ${counterpart.latent}` })
        .click();
      await page.waitForURL(`**/runs/${counterpart.run}/${counterpart.seed}/${counterpart.latent}`);
      await eventually(() => page.locator('h1').innerText()).toBe(`Latent ${counterpart.latent}`);
      // And from there back: the matching is one to one.
      await page
        .locator('#counterparts')
        .getByRole('link', { name: `Seed ${feature.seed}, latent ${feature.latent}` })
        .waitFor();
      await page.keyboard.press('ArrowRight');
      await page.waitForURL(
        `**/${counterpart.seed}/${counterpart.latent! + 1 < feature.width ? counterpart.latent! + 1 : counterpart.latent}`,
      );
      noTroubles();
    });

    test.skipIf(given)('a label is kept, shown in the table, and found by the jump box', async () => {
      const { feature } = await sharedFeature();
      const path = `/runs/${feature.run}/${feature.seed}/${feature.latent}`;
      await visit.go(path);
      await page.getByRole('textbox', { name: 'Label' }).fill('planted concept');
      await page.getByRole('button', { name: 'Save label' }).click();
      await page.getByText('Saved.').waitFor();
      expect(
        (await client.features.get.query({ run: feature.run, seed: feature.seed, latent: feature.latent }))
          .label,
      ).toBe('planted concept');
      await visit.go('/');
      await page.keyboard.press('Control+k');
      await page.getByRole('combobox').fill('planted');
      await page.getByRole('option', { name: /planted concept/ }).waitFor();
      await page.keyboard.press('Enter');
      await page.waitForURL(`**${path}`);
      noTroubles();
    });

    test('compare: pairs of seeds, the threshold in the reader’s hand, both sides of each pair', async () => {
      await visit.section('Compare');
      await page.waitForURL('**/compare');
      await visit.settled();
      const { name } = stableRun();
      const comparison = (await client.comparisons.list.query()).find(
        (one) => one.a.run === name && one.b.run === name,
      )!;
      if (!given) expect(comparison.shared).toBeCloseTo(sharedConcepts(comparison.b.seed) / latents);
      await looksRight('compare');

      await page
        .getByRole('link', {
          name: `Seeds ${comparison.a.seed} and ${comparison.b.seed}: ${percent(comparison.shared)} shared`,
        })
        .first()
        .click();
      await page.waitForURL('**/compare/*');
      await visit.settled();
      const { curve, manifest } = await client.comparisons.get.query({
        name: decodeURIComponent(page.url().split('/').at(-1)!),
      });
      const slider = page.getByRole('slider', { name: 'Cosine threshold' });
      expect(Number(await slider.inputValue())).toBeCloseTo(manifest.threshold);
      await slider.focus();
      for (let step = 0; step < 5; step++) await page.keyboard.press('ArrowRight');
      const moved = curve.find((point) => Math.abs(point.threshold - manifest.threshold - 0.05) < 1e-6)!;
      const panel = page.getByRole('region', { name: 'How alike is alike enough?' });
      await eventually(() => panel.innerText()).toContain(percent(moved.shared));
      // And by dragging: the pointer in the middle of the plot is a threshold of a half.
      const box = (await slider.boundingBox())!;
      await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
      await eventually(async () => Number(await slider.inputValue())).toBeCloseTo(0.5, 1);

      const matches = await client.comparisons.matches.query({ name: manifest.name, limit: 25 });
      const row = page.getByRole('table', { name: 'Matched pairs' }).locator('tbody tr').first();
      const [first] = matches.rows;
      expect(await row.innerText()).toContain(fixed(first!.decoderCosine, 2));
      expect(await row.getByRole('link').allInnerTexts()).toEqual([
        String(first!.latent),
        String(first!.decoderMatch),
      ]);

      // A point for each latent of both; the pointer on one says which, and a click opens it.
      const map = page.locator('canvas');
      if (!given) expect(await map.getAttribute('data-points')).toBe(String(2 * latents));
      if ((await map.count()) > 0) {
        await map.scrollIntoViewIfNeeded();
        // How many points the last painting had in view.
        const seen = async () => Number(await map.getAttribute('data-seen'));
        const before = Number(await map.getAttribute('data-points'));
        await eventually(seen).toBe(before);
        await page.getByRole('button', { name: 'Zoom in' }).click();
        await eventually(seen).toBeLessThan(before);
        await page.getByRole('button', { name: 'All', exact: true }).click();
        await eventually(seen).toBe(before);
      }
      await looksRight('comparison');
    });

    test('lazy neurons: every report’s layers, ReLU over GELU, and the neurons of a layer', async () => {
      await visit.section('Lazy neurons');
      await page.waitForURL('**/lazy');
      await visit.settled();
      const list = (await client.sparsity.list.query()).slice(0, 2);
      const shown = await text();
      for (const report of list) {
        const { report: full } = await client.sparsity.get.query({ name: report.name });
        const table = page.getByRole('table', { name: `Layers of ${report.name}` });
        expect(await table.locator('tbody tr').count()).toBe(full.layers.length);
        expect(await table.innerText()).toContain(percent(full.layers[0]!.activationRatio));
        expect(shown).toContain(percent(report.activationRatio));
      }
      await page.getByRole('img', { name: /^Neurons by the share of tokens/ }).waitFor();
      await page.getByRole('img', { name: /CETT/ }).waitFor();
      await looksRight('lazy');

      const { name } = list[0]!;
      await page.getByRole('link', { name: `Neurons of layer 0 of ${name}` }).click();
      await page.waitForURL(`**/lazy/${name}/0`);
      await visit.settled();
      const neurons = await client.sparsity.neurons.query({ name, layer: 0, sort: 'frequency' });
      const row = page.getByRole('table', { name: 'Neurons of layer 0' }).locator('tbody tr').first();
      await row.waitFor();
      expect(await row.locator('td').first().innerText()).toBe(String(neurons.rows[0]!.neuron));
      await looksRight('layer');

      const { neuron } = neurons.rows.find((one) => one.maxActivation > 0)!;
      await visit.go(`/lazy/${name}/0/${neuron}`);
      const detail = await client.sparsity.neuron.query({ name, layer: 0, neuron });
      expect(await page.locator('h1').innerText()).toBe(`Neuron ${neuron} of layer 0`);
      expect(await text()).toContain(percent(detail.frequency, 2));
      const fires = page.getByRole('region', { name: 'Where it fires' }).locator('li');
      expect(await fires.count()).toBe(detail.examples.length);
      await looksRight('neuron');
    });

    test('what masking neurons costs: a curve a method, PPL-p %, and its data as CSV', async () => {
      const report = (await client.sparsity.list.query())[0]!.name;
      await visit.go(`/lazy?reports=${report}`);
      const { interventions } = (await client.sparsity.get.query({ name: report })).report;
      if (!interventions) return;
      const chart = page.getByRole('img', { name: /^Perplexity, relative/ });
      await chart.waitFor();
      expect(await chart.locator('[aria-label=line] path').count()).toBeGreaterThan(4);
      const ppl = page.getByRole('table', { name: /for perplexity to rise/ });
      for (const { ratio } of interventions.pplP) expect(await ppl.innerText()).toContain(percent(ratio));
      const saving = page.waitForEvent('download');
      await page.getByRole('button', { name: `Save the data of “tradeoff-${report}” as CSV` }).click();
      const path = await (await saving).path();
      const lines = (await readFile(path, 'utf8')).trimEnd().split('\r\n');
      expect(lines[0]).toMatch(
        /^report,method,setting,value,rank,sparsity,perplexity,.*savedOfMlp,savedOfAll/,
      );
      expect(lines).toHaveLength(1 + interventions.tradeoff.length);
      await looksRight('masking');

      await page.getByText('MLP saved', { exact: true }).click();
      const saved = page.getByRole('img', { name: /against the share of the MLPs’ multiply-adds saved/ });
      await saved.waitFor();
      expect(await saved.locator('[aria-label=line] path').count()).toBeGreaterThan(4);
      await looksRight('masking-saved');
    });

    test('emergence: a line a watched model, and its law', async () => {
      const curves = await client.sparsity.emergence.query();
      await visit.go('/lazy/emergence');
      if (curves.length === 0) return;
      const chart = page.getByRole('img', { name: /against tokens seen/ });
      await chart.waitFor();
      expect(await chart.locator('[aria-label=line] path').count()).toBe(curves.length);
      const table = page.getByRole('table', { name: 'Laws of emergence, by model' });
      for (const { law } of curves) expect(await table.innerText()).toContain(fixed(law?.r2));
      await looksRight('emergence');
    });

    test.skipIf(given)('a report measured here and a training watched here, of a bundled model', async () => {
      const { interventions, layers, tokens } = await writeMeasuredReport(
        folder,
        join(root, 'data', 'models', 'lazyscope-demo-relu'),
      );
      await visit.go('/lazy?reports=measured');
      const table = page.getByRole('table', { name: 'Layers of measured' });
      await table.waitFor();
      for (const { activationRatio } of layers)
        expect(await table.innerText()).toContain(percent(activationRatio));
      // A line a method: CETT, top-k and random, each from the whole model on.
      const chart = page.getByRole('img', { name: /^Perplexity, relative/ });
      await chart.waitFor();
      expect(await chart.locator('[aria-label=line] path').count()).toBe(3);
      const ppl = page.getByRole('table', { name: /for perplexity to rise/ });
      for (const { ratio } of interventions!.pplP) expect(await ppl.innerText()).toContain(percent(ratio));
      await page.getByText('Model saved', { exact: true }).click();
      await page
        .getByRole('img', { name: /against the share of the whole model’s multiply-adds saved/ })
        .waitFor();
      await looksRight('measured');

      const { rows } = await client.sparsity.neurons.query({ name: 'measured', layer: 3, limit: 1 });
      const { neuron, frequency } = rows[0]!;
      expect(frequency).toBe(Math.max(0, ...(await layerFrequencies('measured', 3))));
      await visit.go(`/lazy/measured/3/${neuron}`);
      const fires = page.getByRole('region', { name: 'Where it fires' }).locator('li');
      await fires.first().waitFor();
      expect(await text()).toContain(percent(Math.round(frequency * tokens) / tokens, 2));
      // Its examples are stretches of the very text.
      const { examples } = await client.sparsity.neuron.query({ name: 'measured', layer: 3, neuron });
      const { text: book } = await readText('dataset:moby-dick');
      for (const { tokens: stretch } of examples)
        expect(book).toContain(stretch.map((token) => token.text).join(''));
      await looksRight('measured-neuron');

      await visit.go('/lazy/emergence');
      const watched = (await client.sparsity.emergence.query()).find(({ model }) => model === 'watched')!;
      expect(watched.tokens.at(-1)).toBe(12 * 8 * 32);
      const row = page
        .getByRole('table', { name: 'Laws of emergence, by model' })
        .getByRole('row', { name: /watched/ });
      const last = watched.activationRatio.at(-1)!;
      expect(await row.innerText()).toContain(percent(last.reduce((a, b) => a + b, 0) / last.length));
      const saving = page.waitForEvent('download');
      await page.getByRole('button', { name: 'Save the data of “emergence-activationRatio” as CSV' }).click();
      const lines = (await readFile(await (await saving).path(), 'utf8')).trimEnd().split('\r\n');
      expect(lines.filter((line) => line.startsWith('watched,'))).toHaveLength(2 * watched.tokens.length);
      await looksRight('measured-emergence');
    });

    test('what is not there is said in words, with a way on', async () => {
      await page.goto(`${server.url}/runs/no-such-run`);
      await page.getByRole('alert').filter({ hasText: 'no-such-run' }).waitFor();
      await page.goto(`${server.url}/nowhere`);
      await page.getByRole('heading', { name: 'No such page' }).waitFor();
      expect(await page.evaluate(pageFaults)).toEqual([]);
    });

    test('the icon is there too by the name that browsers ask for by themselves', async () => {
      const answer = await fetch(`${server.url}/favicon.ico`);
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/svg+xml']);
    });

    /** A seed of a run that was compared with itself: an evaluated, indexed one. */
    function stableRun(): RunRow {
      const row =
        runs.find((run) => run.indexed && run.architecture === 'topk') ?? runs.find((run) => run.indexed);
      if (!row) throw new Error('the store has no indexed dictionary to test with');
      return row;
    }

    async function sharedFeature() {
      const { name: run, seed } = stableRun();
      const { rows } = await client.features.list.query({
        run,
        seed,
        sort: 'density',
        filter: { dead: false, minStability: 1 },
        limit: 1,
      });
      const feature = await client.features.get.query({ run, seed, latent: rows[0]!.latent });
      const counterpart = feature.counterparts.find(
        (one) => one.sameConfiguration && one.shared && one.latent !== null,
      )!;
      return { feature, counterpart };
    }
  },
);
