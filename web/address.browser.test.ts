/** What is chosen on a page is in its address, moves all of the page, and is taken back by the back button. */
import { expect, test } from 'vitest';
import { describeInBrowser, eventually } from './browserExplorer.ts';
import { percent } from './format/number.ts';

describeInBrowser('the address', (on) => {
  const name = 'fixture-topk-0-1';
  const slider = () => on.page.getByRole('slider', { name: 'Cosine threshold' });
  const totalOf = async (noun: string) =>
    /of ([\d,]+)/.exec(
      await on.page.getByRole('navigation', { name: `Pages of ${noun}` }).innerText({ timeout: 5_000 }),
    )?.[1];
  const sharedAt = async (threshold: number) => {
    const { curve } = await on.client.comparisons.get.query({ name });
    return curve.find((point) => Math.abs(point.threshold - threshold) < 1e-9)!.shared;
  };
  const history = () => on.page.evaluate(() => window.history.length);

  test('a link opens a comparison at its threshold, with its colouring and orders', async () => {
    const { page, visit, client } = on;
    const threshold = 0.88;
    await visit.go(
      `/compare/${name}?threshold=${threshold}&colour=side&show=shared&orphanSort=maxActivation`,
    );
    expect(Number(await slider().inputValue())).toBe(threshold);
    const shared = await sharedAt(threshold);
    expect(shared).not.toBe(await sharedAt(0.7));
    // Headline, pairs, orphans and map.
    await eventually(() => page.locator('main').innerText()).toContain(`cosines ≥ ${threshold}`);
    expect(await page.locator('main').innerText()).toContain(percent(shared));
    const pairs = await client.comparisons.matches.query({ name, threshold, shared: true, limit: 1 });
    await eventually(() => totalOf('pairs')).toBe(String(pairs.total));
    const orphans = await client.comparisons.orphans.query({
      run: 'fixture-topk',
      seed: 0,
      threshold,
      sort: 'maxActivation',
    });
    await eventually(() => totalOf('orphans')).toBe(String(orphans.total));
    const first = page.getByRole('table', { name: 'Orphans' }).locator('tbody tr').first();
    expect(await first.getByRole('link').first().innerText()).toBe(String(orphans.rows[0]!.latent));
    await eventually(() => page.locator('canvas').getAttribute('aria-label')).toContain(
      `${percent(shared)} of a's`,
    );
    expect(await page.getByRole('radio', { name: 'Dictionary' }).isChecked()).toBe(true);
    expect(await page.getByRole('radio', { name: 'Strongest' }).isChecked()).toBe(true);
    expect(await visit.lookAt('comparison-at-threshold')).toEqual([]);
  });

  test('a drag of the threshold is one entry of the history, and the page follows it there and back', async () => {
    const { page, visit } = on;
    await visit.go(`/compare/${name}`);
    const before = await history();
    await slider().focus();
    for (let step = 0; step < 20; step++) await page.keyboard.press('ArrowRight');
    await page.waitForURL(/threshold=0\.9/);
    expect(await history()).toBe(before + 1);
    await eventually(() => page.locator('main').innerText()).toContain('cosines ≥ 0.9');
    await page.getByText('Not shared', { exact: true }).first().click();
    await page.waitForURL(/show=rest/);
    await page.goBack();
    await eventually(() => page.getByRole('radio', { name: 'All', exact: true }).isChecked()).toBe(true);
    expect(Number(await slider().inputValue())).toBe(0.9);
    await page.goBack();
    await eventually(async () => Number(await slider().inputValue())).toBe(0.7);
    await eventually(() => page.locator('main').innerText()).toContain('cosines ≥ 0.7');
    expect(visit.takeTroubles()).toEqual([]);
  });

  test('back steps through filters, and another seed keeps them', async () => {
    const { page, visit } = on;
    await visit.go('/runs/fixture-topk/0');
    const filters = page.getByRole('search', { name: 'Filter latents' });
    await filters.getByText('Orphans', { exact: true }).click();
    await page.waitForURL(/stability=orphan/);
    await filters.getByLabel('Least density in percent').fill('0.5');
    await page.waitForURL(/least=0\.5/);
    await page
      .getByRole('navigation', { name: 'Seeds of this run' })
      .getByRole('link', { name: '2' })
      .click();
    await page.waitForURL(/\/runs\/fixture-topk\/2\?.*stability=orphan/);
    expect(page.url()).toContain('least=0.5');
    await eventually(() => filters.getByRole('radio', { name: 'Orphans' }).isChecked()).toBe(true);
    expect(await filters.getByLabel('Least density in percent').inputValue()).toBe('0.5');
    await page.goBack();
    await page.waitForURL(/\/runs\/fixture-topk\/0\?.*least=0\.5/);
    await page.goBack();
    await eventually(() => filters.getByLabel('Least density in percent').inputValue()).toBe('');
    expect(await filters.getByRole('radio', { name: 'Orphans' }).isChecked()).toBe(true);
    await page.goBack();
    await eventually(() =>
      filters.getByRole('group', { name: 'Stability' }).getByLabel('Any').isChecked(),
    ).toBe(true);
    expect(visit.takeTroubles()).toEqual([]);
  });

  test('choices of the charts are in the link that is copied', async () => {
    const { page, visit, server } = on;
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await visit.go('/lazy?reports=fixture-relu');
    await page.getByText('MLP saved', { exact: true }).click();
    await page.waitForURL(/gain=savedOfMlp/);
    const legend = page.getByRole('button', { name: 'Random', exact: true });
    await legend.click();
    await page.waitForURL(/hidden=Random/);
    await page.getByRole('button', { name: 'Copy link' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toBe(page.url());
    expect(copied.startsWith(server.url)).toBe(true);
    const chart = page.getByRole('img', { name: /against the share of the MLPs’ multiply-adds saved/ });
    const lines = await chart.locator('[aria-label=line] path').count();
    await page.goto(copied);
    await visit.settled();
    await eventually(() => chart.locator('[aria-label=line] path').count()).toBe(lines);
    expect(await legend.getAttribute('aria-pressed')).toBe('false');
    expect(visit.takeTroubles()).toEqual([]);
  });
});
