/** A flag has an effect or is refused by name: each command is tried, as flagEffects.ts says, and what comes of it compared with what comes without. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { writeFixtureStore } from '../../server/fixtures/writeFixtureStore.ts';
import type * as startBackendModule from '../../sae/backends/startBackend.ts';
import { serve } from '../../server/serve.ts';
import { finalBytes, withoutVolatile } from '../chaos/finalBytes.ts';
import { words } from '../chaos/killedWorks.ts';
import { lazyscopeCommand, main } from '../cli.ts';
import { notTried, witnesses } from './flagEffects.ts';

const started = vi.hoisted(() => [] as Record<string, unknown>[]);
vi.mock('../../sae/backends/startBackend.ts', async (load) => {
  const real = await load<StartBackend>();
  const startBackend: typeof real.startBackend = (choice, options) => {
    started.push({ choice, ...options });
    return real.startBackend(choice, options);
  };
  return { ...real, startBackend };
});

type StartBackend = typeof startBackendModule;

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });
const root = mkdtempSync(join(tmpdir(), 'lazyscope-flags-'));
/** Every call has the same data folder, so that no path tells them apart. */
const store = join(root, 'data');
const sound = join(root, 'sound');
beforeAll(async () => {
  await writeFixtureStore(sound);
  writeFileSync(join(sound, 'words.txt'), words().slice(0, 20_000));
  writeFileSync(
    join(sound, 'starts.yaml'),
    `capture: fixture
name: s
tokens: 512
architectures: [topk]
hooks: [blocks.0.hook_resid_post]
widths: [32]
k: [4]
seeds: [0, 1]
settings: { batchSize: 64 }
`,
  );
  writeFileSync(
    join(sound, 'other.txt'),
    'The whale swam away from the ship, and the captain said so. '.repeat(300),
  );
  writeFileSync(
    join(sound, 'classes.jsonl'),
    words()
      .slice(0, 20_000)
      .match(/.{40,60}\s/g)!
      .slice(0, 60)
      .map((text, i) => JSON.stringify({ text, label: i % 2, other: i % 3, second: Math.floor(i / 2) % 2 }))
      .join('\n'),
  );
  await outcomeOf(['export', 'fixture-relu/0', '--to=STORE/exported', '--format=saelens']);
  cpSync(join(store, 'exported'), join(sound, 'exported'), { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Outcome {
  status: number;
  document: string;
  said: string;
  files: [string, string][];
  /** With what backends were started: some options change nothing else. */
  backends: Record<string, unknown>[];
}

class Exit extends Error {}

/** Runs the command line in this process, on a fresh copy of the fixture store. */
async function outcomeOf(call: readonly string[], json = true): Promise<Outcome> {
  rmSync(store, { recursive: true, force: true });
  cpSync(sound, store, { recursive: true });
  const args = [...call.map((arg) => arg.replaceAll('STORE', store)), ...(json ? ['--json'] : [])];
  let status: number | undefined;
  const out: string[] = [];
  const err: string[] = [];
  const listen = (into: string[]) =>
    ((text: string, ...rest: unknown[]) => {
      if (status === undefined) into.push(text);
      const done = rest.at(-1);
      if (typeof done === 'function') done();
      return true;
    }) as typeof process.stdout.write;
  const console = { ...globalThis.console };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(listen(out)),
    vi.spyOn(process.stderr, 'write').mockImplementation(listen(err)),
    vi.spyOn(process, 'exit').mockImplementation((code) => {
      status ??= Number(code ?? process.exitCode ?? 0);
      throw new Exit();
    }),
  ];
  started.length = 0;
  const before = { INT: process.listeners('SIGINT'), TERM: process.listeners('SIGTERM') };
  try {
    process.exitCode = undefined;
    await main(withData(args));
    status ??= Number(process.exitCode ?? 0);
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
  } finally {
    for (const spy of spies) spy.mockRestore();
    Object.assign(globalThis.console, console);
    process.exitCode = undefined;
    for (const one of process.listeners('SIGINT')) if (!before.INT.includes(one)) process.off('SIGINT', one);
    for (const one of process.listeners('SIGTERM'))
      if (!before.TERM.includes(one)) process.off('SIGTERM', one);
  }
  return {
    status: status ?? 0,
    document: comparable(out.join('')),
    said: err.join(''),
    backends: [...started],
    files: [...(await finalBytes(store))],
  };
}

function withData(args: string[]): string[] {
  const takes = optionsOf(args).some((option) => option.long === '--data');
  return takes && !args.some((arg) => arg.startsWith('--data')) ? [...args, `--data=${store}`] : args;
}

/** What the command that these arguments begin with offers. */
function optionsOf(args: readonly string[]) {
  const [name, second] = args;
  const command = lazyscopeCommand().commands.find((one) => one.name() === name);
  return (command?.commands.find((one) => one.name() === second) ?? command)?.options ?? [];
}

function comparable(text: string): string {
  try {
    return JSON.stringify(withoutVolatile(JSON.parse(text)));
  } catch {
    return text;
  }
}

const outcomes = new Map<string, Promise<Outcome>>();
function without(call: readonly string[]): Promise<Outcome> {
  const key = call.join('\0');
  const known = outcomes.get(key) ?? outcomeOf(call);
  outcomes.set(key, known);
  return known;
}

interface Leaf {
  path: string;
  flags: string[];
}
function leaves(command: Command, path: string[] = []): Leaf[] {
  const own = command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
  const flags = command.options.map(({ long }) => (long ?? '').slice(2));
  return command.commands.length > 0 || path.length === 0 ? own : [{ path: path.join(' '), flags }];
}
const commands = leaves(lazyscopeCommand());
const common = ['json', 'data', 'backend', 'threads'];
/** Tried against a server below. */
const ofJobsList = ['url', 'token', 'json', 'data'];

test('every flag of every command has a witness or a reason, and none is of a flag that is gone', () => {
  const tried = (path: string) =>
    path === 'jobs list'
      ? ofJobsList
      : path in witnesses
        ? [...Object.keys(witnesses[path].flags), ...common]
        : [];
  expect(commands.length).toBeGreaterThan(30);
  for (const { path, flags } of commands) {
    const named = [...tried(path), ...(notTried[path]?.flags ?? [])];
    expect(flags.filter((flag) => !named.includes(flag)).map((flag) => `${path} --${flag}`)).toEqual([]);
    expect(
      named
        .filter((flag) => !flags.includes(flag) && !common.includes(flag))
        .map((flag) => `${path} --${flag}`),
    ).toEqual([]);
  }
  const paths = commands.map(({ path }) => path);
  expect(
    [...Object.keys(witnesses), ...Object.keys(notTried)].filter((path) => !paths.includes(path)),
  ).toEqual([]);
});

test('jobs list: --url and --token choose the server and open it', async () => {
  const dataFolder = join(root, 'served');
  const server = await serve({
    dataFolder, bundledModels: [], version: '0', program: [process.execPath], port: 0, token: 'secret', log: () => {},
  }); // prettier-ignore
  try {
    const call = ['jobs', 'list', `--url=${server.url}`];
    expect(await outcomeOf(call)).toMatchObject({ status: 2, said: expect.stringMatching(/token/) });
    expect(await outcomeOf([...call, '--token=secret'])).toMatchObject({
      status: 0,
      document: '{"jobs":[]}',
    });
    expect(await outcomeOf([...call, '--token=secret'], false)).toMatchObject({
      document: expect.stringMatching(/No jobs yet/),
    });
    expect(await outcomeOf(['jobs', 'list', '--url=http://127.0.0.1:1'])).toMatchObject({ status: 2 });
    // What a job would take, or why it can't be said: nothing is started.
    const job = JSON.stringify({ kind: 'matchings', options: { run: 'absent' } });
    const estimated = await outcomeOf(['jobs', 'estimate', job, `--url=${server.url}`, '--token=secret']);
    expect(estimated.status).toBe(0);
    expect(JSON.parse(estimated.document)).toMatchObject({
      disk: null,
      memory: null,
      free: { disk: expect.any(Number) },
    });
    expect(
      await outcomeOf(['jobs', 'estimate', job, `--url=${server.url}`, '--token=secret'], false),
    ).toMatchObject({ document: expect.stringMatching(/not known before it is started/) });
    expect(
      await outcomeOf(['jobs', 'estimate', '{"kind":"nothing"}', `--url=${server.url}`, '--token=secret']),
    ).toMatchObject({ status: 2 });
    // Without --url, the data folder says where its server is.
    expect(await outcomeOf(['jobs', 'list', '--token=secret', `--data=${dataFolder}`])).toMatchObject({
      status: 0,
    });
  } finally {
    await server.close();
  }
});

describe.each(Object.entries(witnesses))('%s', (path, { call, flags }) => {
  const offered = commands.find((one) => one.path === path)?.flags ?? [];

  test.each(Object.entries(flags))('--%s', async (flag, witness) => {
    const base = typeof witness === 'string' ? call : witness.call;
    const add = (typeof witness === 'string' ? witness : witness.add)
      .split(' --')
      .map((one, at) => (at === 0 ? one : `--${one}`));
    const name = add[0].split('=')[0];
    // A value that is given twice is one: the later.
    const added = await outcomeOf([...base.filter((arg) => arg.split('=')[0] !== name), ...add]);
    const refused = typeof witness === 'string' ? undefined : witness.refused;
    if (added.status !== 0)
      expect(added.said, 'refused by name').toMatch(
        refused ?? new RegExp(`--${flag}|${add[0].split('=')[1] ?? flag}`),
      );
    else {
      const plain = await without(base.filter((arg) => arg !== name));
      expect({ ...added, said: '' }, `${path} ${add.join(' ')} changes nothing`).not.toEqual({
        ...plain,
        said: '',
      });
    }
  });

  if (path === 'serve') return;
  test.runIf(offered.includes('json'))('--json', async () => {
    const text = await outcomeOf(call, false);
    const { document } = await without(call);
    expect(document === '' || document !== text.document).toBe(true);
  });

  // The fixture store has no data sets, so it lists what an empty one does.
  test.runIf(offered.includes('data') && path !== 'datasets list')('--data', async () => {
    const elsewhere = await outcomeOf([...call, `--data=${join(root, 'elsewhere')}`]);
    expect({ ...elsewhere, said: '' }).not.toEqual({ ...(await without(call)), said: '' });
  });

  test.runIf(offered.includes('backend'))('--backend and --threads', async () => {
    const { backends } = await outcomeOf([...call, '--backend=cpu', '--threads=1']);
    expect(backends.at(-1)).toMatchObject({ choice: 'cpu', threads: 1 });
  });
});
