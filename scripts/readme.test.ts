/** What the README and the other documents show works as it stands there. */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startTestServer, type TestServer } from '../server/testServer.ts';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = (language: string, text = readme) =>
  [...text.matchAll(new RegExp('```' + language + '\\n([^]*?)```', 'g'))].map(([, code]) => code);
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

let on: TestServer;
beforeAll(async () => {
  // The snippets import the package by its name, so that they get what its exports say: the build, not the sources.
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'build.mjs'), '--library'], {
    encoding: 'utf8',
  });
  expect({ status, stderr }).toMatchObject({ status: 0 });
  on = await startTestServer();
}, 300_000);
afterAll(async () => {
  await on?.stop();
});

/** What the explorer's empty pages tell people to run. */
const explorerLines = readdirSync(join(root, 'web', 'components'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.tsx'))
  .flatMap((file) => [
    ...readFileSync(join(root, 'web', 'components', file), 'utf8').matchAll(/npx lazyscope [^"`<]+/g),
  ])
  .map(([line]) => line);

/** Every document, each with its text. */
const documents = ['.', 'docs', 'scripts/peers', 'scripts/studies', 'scripts/studies/lazyNeurons'].flatMap(
  (folder) =>
    readdirSync(join(root, folder))
      .filter((file) => file.endsWith('.md'))
      .map((file) => [join(folder, file), readFileSync(join(root, folder, file), 'utf8')] as const),
);

/** The lines that a document's shell blocks tell people to run, and commands in the middle of a sentence. */
const commandLines = (text: string) => [
  ...blocks('sh', text).flatMap((block) => block.replaceAll('\\\n', ' ').split('\n')),
  ...[...text.matchAll(/`((?:npx lazyscope|npm (?:run|test)) ?[^`]*)`/g)].map(([, line]) => line),
];

test('every command and flag in the documents, and on the explorer’s empty pages, is one of the command line’s', () => {
  const written = documents
    .flatMap(([, text]) => commandLines(text))
    .filter((line) => line.startsWith('npx lazyscope '));
  expect(written.length).toBeGreaterThan(15);
  expect(explorerLines.length).toBeGreaterThan(5);
  const lines = [...written, ...explorerLines];
  const helps = new Map<string, string>();
  for (const line of lines) {
    const command =
      /^npx lazyscope ((?:lm |bench |jobs |models |datasets |tensorflow )?[a-z-]+)/.exec(line)?.[1] ?? '';
    if (!helps.has(command)) {
      const script = join(root, 'scripts', 'lazyscope.mjs');
      const { status, stdout } = spawnSync(process.execPath, [script, ...command.split(' '), '--help'], {
        encoding: 'utf8',
      });
      expect({ command, status }).toEqual({ command, status: 0 });
      helps.set(command, stdout);
    }
    for (const [flag] of line.matchAll(/--[a-z0-9-]+/g))
      expect({ line, help: helps.get(command) }).toMatchObject({
        help: expect.stringMatching(new RegExp(`${flag}(?![\\w-])`)),
      });
  }
});

test('every npm script that the documents name is in package.json', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = documents.flatMap(([document, text]) =>
    commandLines(text).flatMap((line) => {
      const [, script] = /^npm run (?:--\S+ )*([\w:-]+)/.exec(line) ?? [];
      return script === undefined ? [] : [{ document, script }];
    }),
  );
  expect(named.length).toBeGreaterThan(1);
  expect(named.filter(({ script }) => !(script in scripts))).toEqual([]);
});

test('the typed client’s lines find features, start a job and follow it to its end', async () => {
  const [code, ...others] = blocks('ts');
  // A further snippet needs a test of its own.
  expect(others).toEqual([]);
  // The names of the demo become those of the fixture store; everything else is run as it is written.
  const here = code
    .replace('http://127.0.0.1:4321', on.server.url)
    // The fixture's best dictionary was not compared with its other seeds.
    .replace('run: best.name', "run: 'fixture-topk'")
    .replace("capture: 'demo'", "capture: 'fixture', tokens: 2000, width: 64, k: 4");
  expect(here).not.toBe(code);
  const path = join(root, `.readme-${process.pid}.mts`);
  await writeFile(path, here);
  try {
    const said = await run(path);
    expect(said).toMatchObject({ status: 0, err: '' });
    expect(said.out).toMatch(/^\d+ +\S+/m);
    expect(said.out).toMatch(/^done \{[^}]*\}\s*\} null$/m);
  } finally {
    await rm(path);
  }
  const trained = (await on.client.runs.list.query()).filter(({ name }) => name === 'two-more');
  expect(trained.map(({ seed, status }) => [seed, status])).toEqual([
    [3, 'complete'],
    [4, 'complete'],
  ]);
});

function run(path: string) {
  return new Promise<{ status: number | null; out: string; err: string }>((resolve) => {
    const child = spawn(process.execPath, ['--import', 'tsx', path], { cwd: root });
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
    child.once('close', (status) => resolve({ status, ...said }));
  });
}
