/**
 * A browser for the explorer's test: it opens pages, records everything that goes wrong on them, and
 * takes pictures of each in both themes and at both widths.
 */
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type axe from 'axe-core';
import { chromium, type Browser, type Page } from 'playwright-core';
import { pageFaults } from './browserChecks.ts';

// Without these flags, Chromium contacts its maker's hosts at every start.
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core finds on the page: WCAG 2.2 A and AA, and its best practices. */
async function axeFaults(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      resultTypes: ['violations'],
    });
    return violations.map(({ id, nodes }) => `${id}, ${nodes.length} times: ${nodes[0].html.slice(0, 160)}`);
  });
}

export class BrowserVisit {
  readonly page: Page;
  readonly #browser: Browser;
  readonly #url: string;
  readonly #screenshots: string;
  #troubles: string[] = [];

  static async open(options: {
    executablePath: string;
    url: string;
    screenshots: string;
  }): Promise<BrowserVisit> {
    const browser = await chromium.launch({ executablePath: options.executablePath, args: flags });
    const context = await browser.newContext({
      viewport: { width: 1280, height: 860 },
      colorScheme: 'light',
    });
    return new BrowserVisit(browser, await context.newPage(), options);
  }

  private constructor(
    browser: Browser,
    page: Page,
    { url, screenshots }: { url: string; screenshots: string },
  ) {
    this.#browser = browser;
    this.page = page;
    this.#url = url;
    this.#screenshots = screenshots;
    page.on('console', (message) => {
      // Chromium's own advice about a style sheet fetched ahead is about the machine's speed.
      const advice = message.text().includes('was preloaded using link preload');
      if (['error', 'warning'].includes(message.type()) && !advice)
        this.#troubles.push(`console: ${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => this.#troubles.push(`page error: ${error.message}`));
    page.on('requestfailed', (request) => {
      const reason = request.failure()?.errorText ?? '';
      // Leaving a page ends its subscription and prefetches: not a failure of theirs.
      if (!reason.includes('ERR_ABORTED')) this.#troubles.push(`failed: ${request.url()} ${reason}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) this.#troubles.push(`${response.status()}: ${response.url()}`);
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && /^https?:/.test(request.url()))
        this.#troubles.push(`asked another host: ${request.url()}`);
    });
  }

  /** Console errors, failed requests and requests to other hosts since the last call. */
  takeTroubles(): string[] {
    const taken = this.#troubles;
    this.#troubles = [];
    return taken;
  }

  /** Waits until the page shows its content instead of skeletons. */
  async settled(): Promise<void> {
    await this.page.waitForFunction(
      () =>
        document.querySelector('h1') &&
        ![...document.querySelectorAll('[role=status]')].some((one) => one.textContent === 'Loading…'),
    );
    await this.page.evaluate(() => document.fonts.ready);
  }

  async go(path: string): Promise<void> {
    await this.page.goto(this.#url + path);
    await this.settled();
  }

  /** Goes to a page by the navigation bar, from wherever the last test ended. */
  async section(name: string): Promise<void> {
    if (!this.page.url().startsWith(this.#url)) await this.go('/');
    await this.page.getByRole('navigation', { name: 'Sections' }).getByRole('link', { name }).click();
  }

  /** Takes pictures of the page in both themes at both widths, and returns the faults of each and the errors so far. */
  async lookAt(name: string): Promise<string[]> {
    const { page } = this;
    const faults: string[] = [];
    for (const width of [1280, 390])
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 860 });
        await page.waitForFunction((theme) => document.documentElement.dataset.theme === theme, colorScheme);
        // Charts are drawn for the width they have now.
        await page.waitForFunction(() =>
          [...document.querySelectorAll('figure svg[role=img]')].every(
            (svg) => Math.abs(Number(svg.getAttribute('width')) - (svg.parentElement?.clientWidth ?? 0)) <= 1,
          ),
        );
        const height = await page.evaluate(() => document.documentElement.scrollHeight);
        await page.setViewportSize({ width, height: Math.min(6_000, Math.max(860, height)) });
        await page.screenshot({ path: join(this.#screenshots, `${name}-${width}-${colorScheme}.png`) });
        // Its rules don't depend on both at once, and it takes a second a page.
        const audited = (width === 1280) === (colorScheme === 'light') ? await axeFaults(page) : [];
        for (const fault of [...(await page.evaluate(pageFaults)), ...audited])
          faults.push(`${name} at ${width}, ${colorScheme}: ${fault}`);
      }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 1280, height: 860 });
    return [...faults, ...this.takeTroubles()];
  }

  close(): Promise<void> {
    return this.#browser.close();
  }
}
