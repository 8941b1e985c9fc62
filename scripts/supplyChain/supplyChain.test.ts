/** What comes with an installation: licences, scripts that run while it is installed, and the list of all parts. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { allowedLicences, exceptions } from './allowedLicences.ts';

const root = join(import.meta.dirname, '..', '..');
const json = (name: string) => JSON.parse(readFileSync(join(root, name), 'utf8')) as Record<string, never>;

interface Entry {
  version: string;
  license?: string;
  dev?: boolean;
  hasInstallScript?: boolean;
}
const entries = Object.entries(json('package-lock.json')['packages'] as Record<string, Entry>)
  .filter(([path]) => path !== '')
  .map(([path, entry]) => ({ path, name: path.slice(path.lastIndexOf('node_modules/') + 13), ...entry }));
const production = entries.filter(({ dev }) => !dev);

/** Whether every part of an expression is allowed where parts are joined by AND, one of them where they are joined by OR. */
function isAllowed(expression: string, allowed: readonly string[]): boolean {
  const parts = expression.replaceAll(/[()]/g, '').split(' AND ');
  return parts.every((part) => part.split(' OR ').some((licence) => allowed.includes(licence.trim())));
}

test('every package of an installation has a licence that is allowed, or is an exception with a reason', () => {
  expect(production.length).toBeGreaterThan(300);
  const refused = production.filter(({ name, license }) => {
    const [, exception] = Object.entries(exceptions).find(([start]) => name.startsWith(start)) ?? [];
    return !isAllowed(license ?? 'none', [...allowedLicences, ...(exception ? [exception.licence] : [])]);
  });
  expect(refused.map(({ name, license }) => `${name}: ${license}`)).toEqual([]);
});

test('a licence that nobody has allowed is noticed, also inside an expression', () => {
  expect(isAllowed('GPL-3.0-only', allowedLicences)).toBe(false);
  expect(isAllowed('MIT AND GPL-3.0-only', allowedLicences)).toBe(false);
  expect(isAllowed('(MIT OR GPL-3.0-only)', allowedLicences)).toBe(true);
  expect(isAllowed('none', allowedLicences)).toBe(false);
});

test('no exception stands for a package that is no longer there', () => {
  for (const start of Object.keys(exceptions))
    expect(
      production.some(({ name }) => name.startsWith(start)),
      start,
    ).toBe(true);
});

test('no dependency runs a script while it is installed: each that has one is denied by name, any other fails the installation', () => {
  const withScripts = entries.filter((entry) => entry.hasInstallScript).map(({ name }) => name);
  expect(withScripts).toContain('koffi');
  const listed: Record<string, boolean> = json('package.json')['allowScripts'];
  for (const name of withScripts) expect([name, listed[name]]).toEqual([name, false]);
  // Who installs one of these by hand asks for its script, which downloads a library; nothing else may run one.
  const byHand = Object.keys(json('package.json')['peerDependencies']);
  expect(Object.keys(listed).filter((name) => listed[name])).toEqual(byHand);
  expect(readFileSync(join(root, '.npmrc'), 'utf8')).toMatch(/^strict-allow-scripts=true$/m);
});

test('npm run sbom lists every package of an installation, with version, licence and checksum', () => {
  const { stdout, stderr, status } = spawnSync('npm', ['run', '--silent', 'sbom'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    shell: process.platform === 'win32',
  });
  expect(status, stderr).toBe(0);
  const document = JSON.parse(stdout) as {
    bomFormat: string;
    components: { name: string; version: string; licenses?: unknown[]; hashes?: unknown[] }[];
  };
  expect(document.bomFormat).toBe('CycloneDX');
  const listed = new Map(document.components.map((one) => [`${one.name}@${one.version}`, one]));
  const direct = Object.keys(json('package.json')['dependencies']);
  for (const name of direct) {
    const entry = production.find(({ path }) => path === `node_modules/${name}`);
    const component = listed.get(`${name}@${entry?.version}`);
    expect([name, component?.licenses?.length, component?.hashes?.length]).toEqual([name, 1, 1]);
  }
});

test('where the registry can’t be asked for known vulnerabilities, npm run test:audit says aloud that it was not done', () => {
  const { status, stdout } = spawnSync(process.execPath, [join(import.meta.dirname, 'audit.mjs')], {
    encoding: 'utf8',
    // Nobody listens there.
    env: { ...process.env, npm_config_registry: 'http://127.0.0.1:9', npm_config_offline: 'false' },
  });
  expect([status, stdout]).toEqual([
    0,
    expect.stringMatching(/^audit: NOT DONE, the registry can't be asked \(.+\)\.$/m),
  ]);
});
