/** The keyboard alone: where the focus goes after a navigation, the key of the search, and tokens one by one. */
import { expect, test } from 'vitest';
import { describeInBrowser, eventually } from './browserExplorer.ts';

describeInBrowser('the keyboard', (on) => {
  const focused = () =>
    on.page.evaluate(() => {
      const { activeElement } = document;
      return activeElement?.id || activeElement?.getAttribute('aria-label') || activeElement?.tagName;
    });

  test('after a navigation the focus is at the content, and Tab goes on from there', async () => {
    const { page, visit } = on;
    await visit.go('/');
    const link = page.getByRole('navigation', { name: 'Sections' }).getByRole('link', { name: 'Runs' });
    await link.focus();
    await page.keyboard.press('Enter');
    await page.waitForURL('**/runs');
    await eventually(focused).toBe('content');
    await visit.settled();
    await page.getByRole('link', { name: 'fixture-topk', exact: true }).first().focus();
    await page.keyboard.press('Enter');
    await page.waitForURL('**/runs/fixture-topk');
    await eventually(focused).toBe('content');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.querySelector('main')?.contains(document.activeElement))).toBe(
      true,
    );
    expect(visit.takeTroubles()).toEqual([]);
  });

  test('/ goes to the search of the page, or opens one; in a field it is a letter', async () => {
    const { page, visit } = on;
    await visit.go('/runs/fixture-topk/0');
    await page.keyboard.press('/');
    expect(await focused()).toMatch(/^Find in examples/);
    await page.keyboard.type('a/b');
    const field = page.getByRole('searchbox', { name: /^Find in examples/ });
    expect(await field.inputValue()).toBe('a/b');
    await visit.go('/');
    await page.keyboard.press('/');
    await page.getByRole('dialog', { name: 'Jump to' }).waitFor();
    await page.keyboard.type('topk 0 17');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/runs/fixture-topk/0/17');
    await eventually(focused).toBe('content');
    expect(visit.takeTroubles()).toEqual([]);
  });

  test('the tokens of an example are reached one by one, and say their activation', async () => {
    const { page, visit } = on;
    await visit.go('/runs/fixture-topk/0/17');
    const example = page.getByRole('region', { name: 'Examples' }).locator('li').first();
    const tokens = example.getByRole('button');
    const peak = example.locator('[tabindex="0"]');
    expect(await peak.count()).toBe(1);
    await peak.focus();
    const at = (await tokens.evaluateAll((all) => all.map((one) => one === document.activeElement))).indexOf(
      true,
    );
    await page.keyboard.press('ArrowLeft');
    expect(await focused()).toBe(await tokens.nth(Math.max(0, at - 1)).getAttribute('aria-label'));
    // The keys moved within the example, not on to another latent.
    expect(page.url()).toMatch(/\/17$/);
    expect(visit.takeTroubles()).toEqual([]);
  });
});
