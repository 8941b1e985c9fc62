/** The reproducibility page in a real browser on a real server: before anything was measured, and after, on the fixture store. */
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { measureMatchings } from '../sae/comparison/matchings/measureMatchings.ts';
import { compareSpaces } from '../sae/comparison/spaces/compareSpaces.ts';
import { measureReproducibility } from '../sae/comparison/reproducibility/measureReproducibility.ts';
import { storedComparisons } from '../sae/comparison/storedCounterparts.ts';
import { loadLanguageModel } from '../sae/models/loadLanguageModel.ts';
import { runKind } from '../sae/spec/manifests/run.ts';
import { stabilitySweepKind } from '../sae/spec/manifests/stabilitySweep.ts';
import { stabilitySweep } from '../sae/store/fixtures/laterDocuments.ts';
import { readManifest } from '../sae/store/readManifest.ts';
import { writeManifest } from '../sae/store/writeManifest.ts';
import type { StoreLayout } from '../sae/store/layout.ts';
import { tf } from '../sae/tensor/tf.ts';
import type { BrowserVisit } from './browserVisit.ts';
import { describeInBrowser } from './browserExplorer.ts';
import { fixed, percent } from './format/number.ts';

const run = 'fixture-topk';
describeInBrowser(
  'reproducibility',
  (on) => {
    let store: StoreLayout;
    let visit: BrowserVisit;
    let page: Page;
    beforeAll(() => void ({ store, visit, page } = on));

    const looksRight = async (name: string) => expect(await visit.lookAt(name)).toEqual([]);
    const main = () => page.locator('main').innerText();

    test('before anything was measured the page says how, and leads to the form', async () => {
      await visit.go(`/runs/${run}/reproducibility`);
      expect(await main()).toContain(`npx lazyscope reproducibility ${run}`);
      await looksRight('reproducibility-not-measured');
      await page.getByRole('link', { name: 'Measure it here' }).click();
      await page.waitForURL('**/jobs?**');
      const form = page.getByRole('form', { name: 'Reproducibility of a run' });
      await expect.poll(() => form.getByLabel('Run').inputValue()).toBe(run);
      // What only --worth uses is asked for once it is wanted.
      await form.getByLabel('What stability is worth').check();
      await form.getByLabel('Random groupings').waitFor({ state: 'attached' });
    });

    test('the answer comes first, then what it rests on', async () => {
      const report = await measureReproducibility({ store, run });
      await visit.go(`/runs/${run}/reproducibility`);
      const text = await main();
      expect(text).toContain(`${percent(report.every.share)} of the features came back in both other seeds`);
      expect(text).toContain(`npx lazyscope reproducibility ${run} --worth`);
      const { found, clusters } = report.subspaces!;
      expect(text).toContain(`${percent(found.share)} of them lie in the space`);
      expect(text).toContain(`${clusters.found} of ${clusters.count}`);
      await looksRight('reproducibility');
    });

    test('matchings are judged by reconstruction and by predictions, and a feature’s page shows where it goes', async () => {
      await visit.go(`/runs/${run}/reproducibility`);
      expect(await main()).toContain(`npx lazyscope matchings ${run}`);
      const model = await loadLanguageModel(join(store.models(), 'fixture-relu'));
      const report = await measureMatchings({
        store,
        run,
        model,
        comparisons: await storedComparisons(store),
        maxTokens: 400,
        sample: 6,
        contexts: 1,
        epsilon: 0.03,
        rho: 0.5,
        threshold: 0.7,
      });
      model.dispose();
      await visit.go(`/runs/${run}/reproducibility`);
      const panel = page
        .locator('section')
        .filter({ hasText: 'Is the counterpart the same feature?' })
        .last();
      expect(await panel.innerText()).toContain('optimal transport');
      expect(await panel.getByRole('table', { name: 'Matchings, judged' }).locator('tbody tr').count()).toBe(
        8,
      );
      await looksRight('reproducibility-matchings');
      await panel.getByText('Predictions', { exact: true }).click();
      await panel.getByText(`${report.predictions!.latents} features`).waitFor();
      await looksRight('reproducibility-matchings-predictions');
      await visit.go(`/runs/${run}/0/3`);
      const flows = page.locator('section').filter({ hasText: 'Does it split or merge?' }).last();
      await flows.locator('figure svg').first().waitFor();
      expect(await flows.innerText()).toContain('Seed 1:');
      await looksRight('feature-flows');
    });

    test('a run’s page has the sweeps that it is part of and its likeness to other spaces, each number with its interval and chance', async () => {
      await visit.go(`/runs/${run}/reproducibility`);
      expect(await main()).toContain(`npx lazyscope spaces ${run}/0 OTHER-RUN/0`);
      expect(await main()).toContain('npx lazyscope stability SWEEP.yaml');
      const found = await compareSpaces({
        store,
        a: { run, seed: 0 },
        b: { run: 'fixture-relu', seed: 1 },
        tokenizerOf: async () => null,
        maxTokens: 2000,
        leastCorrelation: 0,
        draws: 19,
      });
      const row = { ...stabilitySweep.rows[0], run };
      const other = { ...row, run: 'fixture-relu', interval: null, comesBack: 0.6, beyondChance: 0.58 };
      await writeManifest(store.sweepStability('starts'), stabilitySweepKind, {
        ...stabilitySweep,
        rows: [row, other],
      });
      await visit.go(`/runs/${run}/reproducibility`);
      const spaces = page.getByRole('table', { name: 'Likeness to dictionaries of other spaces' });
      const { value, interval, chance } = found.svcca;
      expect(await spaces.innerText()).toMatch(
        new RegExp(`${fixed(value, 2)}\\s+\\(${fixed(interval![0], 2)} to ${fixed(interval![1], 2)}\\)`),
      );
      expect(await spaces.innerText()).toContain(fixed(chance, 2));
      expect(await spaces.getByRole('link', { name: 'fixture-relu/1' }).first().getAttribute('href')).toBe(
        '/runs/fixture-relu/1',
      );
      const sweep = page.getByRole('table', { name: 'Stability of the sweep starts' });
      expect(await sweep.locator('tbody tr').allInnerTexts()).toEqual([
        expect.stringContaining('fixture-relu'),
        expect.stringMatching(/40.*\s+\(35.* to 45/),
      ]);
      await looksRight('reproducibility-elsewhere');
    });

    test('the page of a consensus says what it began with', async () => {
      const manifest = await readManifest(store.runManifest(run), runKind);
      await writeManifest(
        store.runManifest(run),
        runKind,
        {
          ...manifest,
          consensus: {
            run: 'fixture-relu',
            minSupport: 2,
            threshold: 0.7,
            dictionaries: manifest.config.seeds.map(() => ({
              parents: [0, 1, 2],
              agreed: 40,
              support: [70, 10, 30],
            })),
          },
        },
        manifest,
      );
      await visit.go(`/runs/${run}`);
      const began = page.getByRole('table', { name: 'What each dictionary began with' });
      expect(await began.innerText()).toContain('70, 10, 30');
      expect(await began.getByRole('link', { name: '1' }).first().getAttribute('href')).toBe(
        '/runs/fixture-relu/1',
      );
      await looksRight('run-consensus');
    });

    test('what stability is worth, for groups and on the page of a feature', async () => {
      const model = await loadLanguageModel(join(store.models(), 'fixture-relu'));
      const worth = { model, maxTokens: 300, lossTokens: 32, draws: 3, sample: 3 };
      const report = await measureReproducibility({ store, run, worth });
      model.dispose();
      await visit.go(`/runs/${run}/reproducibility`);
      const panel = page.locator('section').filter({ hasText: 'What stability is worth' }).last();
      expect(await panel.innerText()).toContain(`${report.worth!.draws} random groups`);
      await panel.getByText('Kept alone', { exact: true }).click();
      await panel.getByText('each kept alone').waitFor();
      expect(await panel.locator('figure svg[role=img]').count()).toBe(3);
      await looksRight('reproducibility-worth');
      await visit.go(`/runs/${run}/0/3`);
      await page.getByText('nats a token').first().waitFor();
      await looksRight('feature-worth');
    });
  },
  { prepare: async () => void (await tf.setBackend('cpu')) },
);
