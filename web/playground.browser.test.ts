/**
 * Tests the playground in a real browser on a real server, over a store made on the spot from the bundled model: what is
 * shown is what the library computes, and what is steered is what the model then says.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../sae/backends/startBackend.ts';
import { compare } from '../sae/comparison/compare.ts';
import { indexFeatures } from '../sae/features/indexFeatures.ts';
import { demoModel, latents, writeInferenceStore } from '../sae/fixtures/inferenceStore.ts';
import { createLazyscopeClient, type LazyscopeClient, type TextOnModel } from '../server/client.ts';
import { serve, type RunningServer } from '../server/serve.ts';
import { BrowserVisit } from './browserVisit.ts';
import { fixed, percent } from './format/number.ts';
import { visibleToken } from './format/tokenText.ts';

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const hasChromium = existsSync(executablePath);
const root = join(import.meta.dirname, '..');
const screenshots = join(root, 'screenshots');
const text = 'The whale swam away from the ship, said the captain.';

describe.skipIf(!hasChromium)(
  hasChromium
    ? 'the playground'
    : `the playground: SKIPPED, no Chromium at ${executablePath} (set CHROMIUM_PATH)`,
  { timeout: 120_000 },
  () => {
    let folder: string;
    let server: RunningServer;
    let visit: BrowserVisit;
    let page: Page;
    let client: LazyscopeClient;
    let found: TextOnModel;

    beforeAll(async () => {
      await startBackend('auto');
      folder = await mkdtemp(join(tmpdir(), 'lazyscope-playground-'));
      const { store, model } = await writeInferenceStore(folder);
      for (const seed of [0, 1]) await indexFeatures({ store, run: 'topk', seed, model });
      model.dispose();
      const pair = { a: { run: 'topk', seed: 0 }, b: { run: 'topk', seed: 1 } };
      await compare({ store, name: 'pair', ...pair, nulls: null });
      await mkdir(screenshots, { recursive: true });
      server = await serve({
        dataFolder: folder,
        bundledModels: [join(demoModel, '..')],
        version: '0.0.0',
        program: [process.execPath, join(root, 'scripts', 'lazyscope.mjs')],
        log: () => {},
        port: 0,
        explorer: { web: import.meta.dirname, root },
      });
      client = createLazyscopeClient({ url: server.url });
      found = await client.playground.features.query({
        text,
        dictionaries: [pair.a, pair.b],
      });
      visit = await BrowserVisit.open({ executablePath, url: server.url, screenshots });
      ({ page } = visit);
    }, 400_000);

    afterAll(async () => {
      await visit?.close();
      await server?.close();
      if (folder) await rm(folder, { recursive: true, force: true });
    });

    const noTroubles = () => expect(visit.takeTroubles()).toEqual([]);
    const looksRight = async (name: string) => expect(await visit.lookAt(name)).toEqual([]);
    const eventually = <Value>(look: () => Promise<Value>) => expect.poll(look, { timeout: 30_000 });
    const region = (name: string | RegExp) =>
      page.getByRole('region', { name, exact: typeof name === 'string' });
    const on = '/playground?on=topk/0,topk/1';

    test('an empty page says what to do, and an example answers in place', async () => {
      await visit.go('/');
      await visit.section('Playground');
      await page.waitForURL('**/playground');
      await visit.settled();
      await page.getByText('No text yet').waitFor();
      await page.getByText('Nothing is steered yet').waitFor();
      expect(await page.title()).toBe('Playground · Lazyscope');
      await looksRight('playground-empty');
      await page.getByRole('button', { name: /^The whale swam/ }).click();
      await region('Where it fires').waitFor();
      expect(page.url()).toContain('text=The+whale');
    });

    test('a typed text: tokens shaded by the strongest feature and by its counterpart in the other seed', async () => {
      await visit.go(on);
      await page.getByRole('textbox', { name: 'Text' }).fill(text);
      await page.keyboard.press('Control+Enter');
      const [first, second] = found.dictionaries;
      const [trace] = first!.traces;
      const own = region('The text under topk/0');
      await own.waitFor();
      expect(await own.getByRole('link').first().innerText()).toBe(String(trace!.latent));
      const tokens = own.getByRole('button');
      expect(await tokens.count()).toBe(found.tokens.length);
      const shaded = async (place: typeof own) =>
        place
          .getByRole('button')
          .evaluateAll((buttons) =>
            buttons.flatMap((button, at) => ((button as HTMLElement).style.backgroundColor ? [at] : [])),
          );
      expect(await shaded(own)).toEqual(trace!.positions);
      const row = second!.counterparts!.rows.find(({ latent }) => latent === trace!.latent)!;
      const other = region('The text under topk/1');
      expect(row.counterpart!.latent).toBe(latents - 1 - trace!.latent);
      expect(await other.innerText()).toContain(fixed(row.counterpart!.decoderCosine, 2));
      expect(await shaded(other)).toEqual(row.counterpart!.positions);
      await looksRight('playground');
    });

    test('a token: what fires on it and what comes next; the arrow keys move on', async () => {
      const own = region('The text under topk/0');
      await own.getByRole('button').nth(4).click();
      const panel = region(/^On “/);
      const shows = async (position: number) => {
        await eventually(() => panel.innerText()).toContain(
          `Token ${position + 1} of ${found.tokens.length}`,
        );
        const shown = (await panel.innerText()).replaceAll(/\s/g, '');
        for (const { latent } of found.dictionaries[0]!.strongest[position]!)
          expect(shown).toContain(String(latent));
        const [next] = found.predictions[position]!;
        expect(shown).toContain(visibleToken(next!.text).replaceAll(/\s/g, ''));
        expect(shown).toContain(percent(next!.probability).replaceAll(/\s/g, ''));
      };
      await shows(4);
      expect(page.url()).toContain('token=4');
      await page.keyboard.press('ArrowRight');
      await shows(5);
      expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-pressed'))).toBe('true');
      await page.keyboard.press('Home');
      await eventually(() => panel.innerText()).toContain('Training left such rows out');
      noTroubles();
    });

    test('the features of the text beside what their counterparts do, and the address keeps what is chosen', async () => {
      const rows = page.getByRole('list', { name: 'Features of topk/0 in the text' }).getByRole('listitem');
      const [first, second] = found.dictionaries;
      const trace = first!.traces[3]!;
      const row = second!.counterparts!.rows.find(({ latent }) => latent === trace.latent)!;
      const item = rows.nth(3);
      const shown = (await item.innerText()).replaceAll(/\s+/g, ' ');
      expect(shown).toContain(`${row.both} of ${row.both + row.onlyFirst + row.onlySecond}`);
      expect(await item.getByRole('img').first().getAttribute('aria-label')).toMatch(new RegExp(`^fires on ${trace.positions.length} of`)); // prettier-ignore
      await item.getByRole('button', { name: /^Shade/ }).click();
      const own = region('The text under topk/0');
      await eventually(() => own.getByRole('link').first().innerText()).toBe(String(trace.latent));
      await page.reload();
      await visit.settled();
      await eventually(() => own.getByRole('link').first().innerText()).toBe(String(trace.latent));
      noTroubles();
    });

    test('steering: a latent is held, the texts stream in beside each other, and stop when told to', async () => {
      const list = page.getByRole('list', { name: 'Features of topk/0 in the text' });
      await list
        .getByRole('button', { name: /^Steer/ })
        .first()
        .click();
      const panel = region('Steering');
      const { latent } = found.dictionaries[0]!.traces[0]!;
      const value = panel.getByRole('textbox', { name: `Value for latent ${latent} of topk/0` });
      await value.fill('30');
      await value.press('Enter');
      expect(await panel.getByRole('slider').inputValue()).toBe('30');
      await panel.getByRole('textbox', { name: 'Tokens' }).fill('12');
      await panel.getByRole('button', { name: 'Go on with and without' }).click();
      await panel.getByText(/72 tokens in/).waitFor({ timeout: 60_000 });

      const events: string[] = [];
      await new Promise<void>((resolve, reject) => {
        const greedy = ['', '', ''];
        let divergence: number[] = [];
        client.playground.steer.subscribe(
          {
            prompt: text,
            dictionaries: [{ run: 'topk', seed: 0, interventions: [{ latent, kind: 'clamp', value: 30 }] }],
            counterpart: { run: 'topk', seed: 1 },
            maxNewTokens: 12,
          },
          {
            onData(event) {
              if (event.type === 'tokens') for (const one of event.tokens) greedy[one.row] += one.text;
              if (event.type === 'next') ({ divergence } = event);
            },
            onComplete: () => resolve(void events.push(...greedy, fixed(divergence[1], 3))),
            onError: reject,
          },
        );
      });
      const [without, withIt, counterparts, kl] = events;
      const squeezed = async (name: string) => (await region(name).innerText()).replaceAll(/\s+/g, ' ');
      const plain = (said: string | undefined) => said!.trim().replaceAll(/\s+/g, ' ');
      expect(await squeezed('Without')).toContain(plain(without));
      expect(await squeezed('With')).toContain(plain(withIt));
      expect(await squeezed('With')).toContain(kl);
      expect(await squeezed('With the counterparts')).toContain(plain(counterparts));
      expect(await squeezed('With the counterparts')).toContain(`${latent} → ${latents - 1 - latent}`);
      expect(withIt).not.toBe(without);
      await looksRight('playground-steered');

      await panel.getByRole('textbox', { name: 'Tokens' }).fill('200');
      await panel.getByRole('button', { name: 'Go on with and without' }).click();
      await panel.getByRole('button', { name: 'Stop' }).click();
      await panel.getByText('Stopped.').waitFor();
      await eventually(async () => (await client.playground.status.query()).state).toBe('waiting');
      noTroubles();
    });

    test('what is steered is in the address', async () => {
      await page.reload();
      await visit.settled();
      expect(await region('Steering').getByRole('slider').inputValue()).toBe('30');
      await region('Steering').getByText('Ablate', { exact: true }).click();
      await region('Steering').getByText('held at 0').waitFor();
      expect(decodeURIComponent(page.url())).toContain(':ablate:30');
      noTroubles();
    });

    test('a box on a feature page and on a dictionary page answers in place', async () => {
      const trace = found.dictionaries[0]!.traces[2]!;
      const { latent } = trace;
      await visit.go(`/runs/topk/0/${latent}`);
      await page.getByRole('textbox', { name: `A text to try on latent ${latent}` }).fill(text);
      await page.keyboard.press('Enter');
      const answer = region('Where it fires');
      await answer.waitFor();
      expect(new URL(page.url()).pathname).toBe(`/runs/topk/0/${latent}`);
      expect(await answer.innerText()).toContain(
        `On ${trace.positions.length} of ${found.tokens.length} tokens`,
      );
      const shaded = await region('The text under topk/0')
        .getByRole('button')
        .evaluateAll((buttons) =>
          buttons.flatMap((button, at) => ((button as HTMLElement).style.backgroundColor ? [at] : [])),
        );
      expect(shaded).toEqual(trace.positions);
      // The strongest token is the one looked at, and the arrow keys move on.
      const peak = trace.positions[trace.activations.indexOf(Math.max(...trace.activations))]!;
      expect(await answer.getByRole('status').innerText()).toContain(`on token ${peak + 1}.`);
      await looksRight('feature-tried');

      await visit.go('/runs/topk/0');
      await page.getByRole('textbox', { name: 'A text to try on this dictionary' }).fill(text);
      await page.getByRole('button', { name: 'Try it' }).click();
      const tokens = region('The text under topk/0').getByRole('button');
      await tokens.nth(3).click();
      const panel = region(/^On “/);
      await eventually(() => panel.innerText()).toContain(`Token 4 of ${found.tokens.length}`);
      const shown = (await panel.innerText()).replaceAll(/\s/g, '');
      for (const { latent: strong } of found.dictionaries[0]!.strongest[3]!)
        expect(shown).toContain(String(strong));
      // The link holds the text and the token; the playground takes the text along.
      const link = page.url();
      await page.getByRole('link', { name: 'Open in the playground' }).click();
      await page.waitForURL('**/playground?**');
      await region('The text under topk/0').waitFor();
      await page.goto(link);
      await eventually(() => panel.innerText()).toContain(`Token 4 of ${found.tokens.length}`);
      await looksRight('dictionary-tried');
    });

    test('a dictionary at another layer has features of its own, and what can not be is said in words', async () => {
      await visit.go('/playground?on=topk/0,neurons/0&text=the+sea');
      await page.getByText('At another hook point').waitFor();
      await page.getByRole('list', { name: 'Features of neurons/0 in the text' }).waitFor();
      await page.goto(`${server.url}/playground?on=topk/7&text=the+sea`);
      await page.getByRole('alert').filter({ hasText: 'no seed 7' }).waitFor();
      visit.takeTroubles();
      await page.goto(`${server.url}/playground?on=topk/0&text=${'whale+'.repeat(300)}`);
      await page.getByRole('alert').filter({ hasText: 'context of 256' }).waitFor();
      expect(visit.takeTroubles().every((trouble) => trouble.includes('400'))).toBe(true);
    });
  },
);
