/** Jobs in a browser: forms that check and estimate, progress on every page that shows a run, and what comes after. */
import { expect, test } from 'vitest';
import { describeInBrowser, eventually } from './browserExplorer.ts';

describeInBrowser('jobs', (on) => {
  const main = () => on.page.locator('main');

  test('a job: started from its form, followed to its end, its result in the store', async () => {
    const { page, visit, client } = on;
    await visit.go('/jobs?start=sparsity');
    const form = page.getByRole('form', { name: 'Measure lazy neurons' });
    await form.getByRole('button', { name: 'Measure lazy neurons' }).click();
    // Nothing was chosen: the form says what is missing, and the server is not asked.
    await form.getByText('Text is needed.').waitFor();
    await form.getByLabel('Model').selectOption('fixture-relu');
    await form.getByLabel('Text', { exact: true }).selectOption('dataset:moby-dick');
    await form.getByLabel('Name').fill('from-the-explorer');
    await form.getByLabel('Most tokens').fill('512');
    await form.getByLabel('Also what masking neurons costs').uncheck();
    const estimate = form.getByRole('group', { name: 'Estimate' });
    await eventually(() => estimate.innerText()).toContain('(a guess)');
    await form.getByRole('button', { name: 'Measure lazy neurons' }).click();
    const card = page.locator('main li').filter({ hasText: 'Measure lazy neurons' }).first();
    await card
      .getByText(/queued|running|done/)
      .first()
      .waitFor();
    expect(await visit.lookAt('jobs')).toEqual([]);
    await expect
      .poll(() => card.innerText(), { timeout: 100_000 })
      .toMatch(/^(done|failed|lost|cancelled)$/m);
    expect(await card.innerText()).toMatch(/^done$/m);
    expect(await card.innerText()).toContain('--max-tokens=512');
    expect(await card.innerText()).toContain('--no-interventions');
    await visit.section('Lazy neurons');
    await page.getByRole('checkbox', { name: /from-the-explorer/ }).waitFor();
    // The next one of its size is estimated by this one; one that is a thousand times as large is not, unless this one took ten seconds.
    const [{ startedAt, finishedAt }] = await client.jobs.list.query();
    const seconds = (Date.parse(finishedAt!) - Date.parse(startedAt!)) / 1000 - 2;
    await visit.go('/jobs?start=sparsity&model=fixture-relu&text=dataset:moby-dick&maxTokens=512');
    await eventually(async () => /Time\s+about .*\(a guess\)/.test(await estimate.innerText())).toBe(
      seconds < 10,
    );
    await form.getByLabel('Also what masking neurons costs').uncheck();
    await eventually(() => estimate.innerText()).not.toContain('a guess');
    await eventually(() => estimate.innerText()).toMatch(/about [\d.]+ (s|min)/);
    expect(visit.takeTroubles()).toEqual([]);
  });

  test('hook points are checked while they are typed, and the one that was meant is a click away', async () => {
    const { page, visit } = on;
    await visit.go('/jobs?start=capture&model=fixture-relu&text=dataset:moby-dick&maxTokens=4096');
    const form = page.getByRole('form', { name: 'Capture activations' });
    const hooks = form.getByLabel('Hook points');
    await hooks.fill('blocks.0.resid_post, blocks.0.hook_mlp_out');
    await form.getByText("did you mean 'blocks.0.hook_resid_post'?").waitFor();
    expect(await hooks.getAttribute('aria-invalid')).toBe('true');
    expect(await visit.lookAt('jobs-hooks')).toEqual([]);
    await form.getByRole('button', { name: 'Use blocks.0.hook_resid_post' }).click();
    await eventually(() => hooks.getAttribute('aria-invalid')).toBe(null);
    expect(await hooks.inputValue()).toBe('blocks.0.hook_resid_post, blocks.0.hook_mlp_out');
    await form.getByText('How this is estimated').click();
    await eventually(() => form.innerText()).toContain('tokens × parameters of the model');
    expect(visit.takeTroubles()).toEqual([]);
  });

  test('every kind has a form, with what its options come to', async () => {
    const { page, visit } = on;
    await visit.go('/jobs?start=train&capture=fixture&architecture=topk');
    const form = page.locator('main form');
    // The width for this very capture, not a rule.
    await eventually(() => form.locator('[name=width]').getAttribute('placeholder')).toMatch(/^[\d,]+$/);
    expect(await form.getByLabel('Then evaluate, index and compare').isChecked()).toBe(false);
    for (const kind of ['lmTrain', 'import', 'export']) {
      await visit.go(`/jobs?start=${kind}`);
      await form.locator('button[type=submit]').waitFor();
    }
    for (const given of [
      'map&comparison=fixture-topk-0-1',
      'label&run=fixture-topk',
      'reproducibility&run=fixture-topk',
      'consensus&run=fixture-topk',
    ]) {
      await visit.go(`/jobs?start=${given}`);
      const figures = form.getByRole('group', { name: 'Estimate' });
      await eventually(() => figures.innerText()).toMatch(
        /Time\s+about [\d.]+ s[^]*Disk\s+[\d.]+ [kM]B\s+Memory\s+about [\d.]+ MB/,
      );
      await form.getByText('How this is estimated').click();
    }
    expect(await visit.lookAt('jobs-consensus')).toEqual([]);
    await visit.go('/jobs?start=lmTrain');
    expect(await form.locator('[name=layers]').getAttribute('placeholder')).toBe('5');
    expect(await visit.lookAt('jobs-lm')).toEqual([]);
  });

  test('several hook points of a capture are chosen for a crosscoder, and it is trained', async () => {
    const { page, visit, client } = on;
    const hooks = ['blocks.0.hook_resid_post', 'blocks.0.hook_mlp_out'];
    const text = 'dataset:moby-dick';
    const captured = await client.jobs.start.mutate({
      kind: 'capture',
      options: { model: 'fixture-relu', text, hooks, name: 'two-hooks', maxTokens: 2048, contextLength: 32 },
    });
    const status = async (id: string) =>
      (await client.jobs.list.query()).find((job) => job.id === id)?.status ?? '';
    await expect.poll(() => status(captured.id), { timeout: 100_000 }).toBe('done');
    await visit.go('/jobs?start=train&capture=two-hooks&architecture=topk');
    const form = page.getByRole('form', { name: 'Train dictionaries' });
    const boxes = form.getByRole('group', { name: 'Hook point' });
    // The order of the capture, whichever is ticked first.
    await boxes.getByRole('checkbox', { name: /mlp_out/ }).check();
    await boxes.getByRole('checkbox', { name: /resid_post/ }).check();
    await form.getByLabel('Name').fill('crossed');
    await form.locator('[name=width]').fill('64');
    await form.locator('[name=seeds]').fill('0');
    await form.locator('[name=tokens]').fill('4,096');
    await form.locator('[name=k]').fill('4');
    await eventually(() => form.getByRole('group', { name: 'Estimate' }).innerText()).toMatch(/Memory/);
    expect(await visit.lookAt('jobs-crosscoder')).toEqual([]);
    await form.getByRole('button', { name: 'Train dictionaries' }).click();
    await expect
      .poll(async () => (await client.runs.list.query()).find(({ name }) => name === 'crossed')?.status, {
        timeout: 100_000,
      })
      .toBe('complete');
    const known = (await client.captures.list.query()).find((one) => one.name === 'two-hooks')?.hooks ?? [];
    expect(known).toHaveLength(2);
    const card = page.locator('main li').filter({ hasText: 'Train dictionaries' }).first();
    expect(await card.innerText()).toContain(`--hook=${known.map(({ hook }) => hook).join(',')}`);
    expect(visit.takeTroubles()).toEqual([]);
  });

  test('a page that is opened before its run exists finds it, follows it, and offers to resume it', async () => {
    const { page, visit, client, server } = on;
    await page.goto(`${server.url}/runs/awaited`);
    await page.getByRole('alert').filter({ hasText: 'awaited' }).waitFor();
    const job = await client.jobs.start.mutate({
      kind: 'train',
      // Long enough to be watched; it is stopped below.
      options: {
        architecture: 'topk',
        capture: 'fixture',
        name: 'awaited',
        seeds: [0, 1],
        tokens: 200_000_000,
        batchSize: 256,
      },
    });
    const now = page.getByRole('region', { name: 'Now' });
    await now.waitFor({ timeout: 60_000 });
    await expect.poll(() => now.innerText(), { timeout: 60_000 }).toMatch(/[\d.k]+ of 781[,.\d]*k? steps/);
    const step = async () =>
      Number((await now.getByRole('progressbar').getAttribute('aria-valuenow')) ?? 'NaN');
    expect(await step()).toBeLessThan(100);
    await expect.poll(() => now.innerText(), { timeout: 60_000 }).toMatch(/left/);
    for (const figure of ['loss', 'L0', 'dead', 'tokens/s']) expect(await now.innerText()).toContain(figure);
    await page.getByRole('heading', { name: 'awaited' }).waitFor();
    // What was not there yet has been asked for in vain, and said so on the console.
    expect(visit.takeTroubles().every((trouble) => trouble.includes('404'))).toBe(true);
    expect(await visit.lookAt('run-training')).toEqual([]);

    // Elsewhere the same.
    await visit.section('Runs');
    const training = page.getByRole('region', { name: 'Training now' });
    await eventually(() => training.innerText()).toContain('loss');
    const row = page
      .getByRole('table', { name: 'Dictionaries' })
      .locator('tbody tr')
      .filter({ hasText: 'awaited' })
      .first();
    await row.waitFor({ timeout: 60_000 });
    await expect.poll(() => row.innerText(), { timeout: 60_000 }).toMatch(/loss .* left/s);
    await visit.section('Overview');
    const jobs = page.getByRole('region', { name: 'Jobs' });
    await eventually(() => jobs.innerText()).toMatch(/Train awaited[\s\S]*of 781/);
    expect(await visit.lookAt('overview-training')).toEqual([]);

    await client.jobs.cancel.mutate({ id: job.id });
    await page.goto(`${server.url}/runs/awaited`);
    await page.getByRole('button', { name: 'Resume it here' }).waitFor({ timeout: 60_000 });
    expect(await main().innerText()).toContain('Interrupted at');
  });
});
