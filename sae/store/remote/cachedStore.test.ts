import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { serveFolder, type StaticServer, type StaticServerOptions } from '../../fixtures/staticServer.ts';
import { StoreLayout } from '../layout.ts';
import { queryParquet, writeParquet } from '../parquet.ts';
import { bringIn, mountRemote } from './bringIn.ts';
import { CachedStore } from './cachedStore.ts';
import type { CachedStoreOptions } from './cacheOptions.ts';
import { fetchStore } from './fetchStore.ts';
import { HttpSource } from './httpSource.ts';
import { indexStore } from './storeFiles.ts';

/** Bytes of the large files, beyond what a socket takes at once. */
const large = 3_000_000;
const big = (n: number) => `runs/a/seed-${n}/sae.safetensors`;
const table = 'runs/a/seed-0/features.parquet';

let folder: string;
let published: StoreLayout;
let servers: StaticServer[] = [];
let opened: CachedStore[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazyscope-remote-'));
  published = new StoreLayout(join(folder, 'published'));
  await write('runs/a/run.json', '{"version":1}');
  for (const n of [0, 1, 2]) await write(big(n), randomBytes(large));
  await writeParquet(
    join(published.root, table),
    { latent: { type: 'INTEGER', doc: 'latent' } },
    { latent: [3, 1, 2] },
  );
  await write('lazyscope.duckdb', 'the log of jobs');
  await write('audit.jsonl', 'who did what');
  await write('runs/a/checkpoints/5/state', 'unfinished');
  await write('runs/a/.run.json.1-abcdef01.partial', 'half');
  await indexStore({ store: published });
});
afterEach(async () => {
  for (const store of opened) await store.close();
  for (const server of servers) await server.close();
  [opened, servers] = [[], []];
  await rm(folder, { recursive: true, force: true });
});

async function write(path: string, content: string | Uint8Array) {
  const place = join(published.root, path);
  await mkdir(dirname(place), { recursive: true });
  await writeFile(place, content);
}

async function host(options: StaticServerOptions = {}) {
  const server = await serveFolder(published.root, options);
  servers.push(server);
  return server;
}

async function open(url: string, options: Partial<CachedStoreOptions> = {}) {
  const store = await CachedStore.open({
    url,
    caches: join(folder, 'caches'),
    mostBytes: 1e9,
    firstWait: 1,
    patience: 5_000,
    ...options,
  });
  opened.push(store);
  return store;
}

async function reopen(url: string, options: Partial<CachedStoreOptions> = {}) {
  await opened.pop()?.close();
  return open(url, options);
}

const isHere = (place: string, path: string) => readFileSync(place).equals(original(path));
const original = (path: string) => readFileSync(join(published.root, path));
const gets = ({ requests }: StaticServer, path: string) =>
  requests.filter((one) => one.endsWith(` /${path}`)).map((one) => one.split(' ')[0]);
const listing = () => join(published.root, 'store.json');
const relist = (change: (files: { path: string; bytes: number; sha256: string }[]) => unknown) => {
  const document = JSON.parse(readFileSync(listing(), 'utf8'));
  document.files = change(document.files) ?? document.files;
  return writeFile(listing(), JSON.stringify(document));
};

test('only what others can use is listed, with its size and checksum', async () => {
  const { files } = JSON.parse(readFileSync(listing(), 'utf8'));
  expect(files.map(({ path }: { path: string }) => path)).toEqual([
    'runs/a/run.json',
    table,
    big(0),
    big(1),
    big(2),
  ]);
  for (const { path, bytes, sha256 } of files) {
    expect(bytes).toBe(original(path).length);
    expect(sha256).toBe(createHash('sha256').update(original(path)).digest('hex'));
  }
});

test('manifests come when it is opened, other files when they are read, and once', async () => {
  const server = await host();
  const store = await open(server.url);
  expect(isHere(join(store.root, 'runs/a/run.json'), 'runs/a/run.json')).toBe(true);
  expect(gets(server, big(0))).toEqual([]);
  const place = join(store.root, big(0));
  // It is there, as large as it will be, and can't be mistaken for its content.
  expect(statSync(place).size).toBe(large);
  expect(readFileSync(place).subarray(0, 9).toString()).toBe('lazyscope');
  await Promise.all([store.bringIn(place), store.bringIn(place)]);
  await store.bringIn(place);
  expect(isHere(place, big(0))).toBe(true);
  expect(gets(server, big(0))).toEqual(['bytes=0-']);
  // Nothing that isn't listed is asked for.
  await store.bringIn(join(store.root, 'runs/a/seed-9/features.parquet'));
  expect(server.requests.filter((one) => one.includes('seed-9'))).toEqual([]);
});

test('a statement over a table of a mounted store fetches it; without it the placeholder is refused', async () => {
  const server = await host();
  const store = await open(server.url);
  const path = join(store.root, table);
  const sql = 'SELECT latent FROM read_parquet($path) ORDER BY latent';
  await expect(queryParquet(sql, { path })).rejects.toMatchObject({ code: 'corrupt' });
  const unmount = mountRemote(store);
  expect(await queryParquet(sql, { path })).toEqual([{ latent: 1 }, { latent: 2 }, { latent: 3 }]);
  unmount();
  await bringIn(join(store.root, big(1)));
  expect(gets(server, big(1))).toEqual([]);
});

test('two files of one content may come at the same time', async () => {
  await write(big(1), original(big(0)));
  await indexStore({ store: published });
  const server = await host();
  const store = await open(server.url);
  await Promise.all([0, 1].map((n) => store.bringIn(join(store.root, big(n)))));
  for (const n of [0, 1]) expect(isHere(join(store.root, big(n)), big(0))).toBe(true);
});

test('a second process finds what the first one fetched, and refuses to share the folder', async () => {
  const server = await host();
  const store = await open(server.url);
  await expect(open(server.url)).rejects.toMatchObject({ code: 'conflict' });
  await store.bringIn(join(store.root, big(0)));
  const again = await reopen(server.url);
  await again.bringIn(join(again.root, big(0)));
  expect(again.fetches).toBe(0);
  expect(isHere(join(again.root, big(0)), big(0))).toBe(true);
});

test('what was published anew is fetched anew, and what was taken away is gone', async () => {
  const server = await host();
  const store = await open(server.url);
  for (const n of [0, 1]) await store.bringIn(join(store.root, big(n)));
  await write(big(0), randomBytes(large));
  await rm(join(published.root, big(1)));
  await indexStore({ store: published });
  const again = await reopen(server.url);
  expect(existsSync(join(again.root, big(1)))).toBe(false);
  await again.bringIn(join(again.root, big(0)));
  expect(isHere(join(again.root, big(0)), big(0))).toBe(true);
});

test('the least recently used files make room, and come back when they are read again', async () => {
  const server = await host();
  const store = await open(server.url, { mostBytes: 2 * large + 1000, staysFor: 0 });
  const read = async (n: number) => {
    await store.bringIn(join(store.root, big(n)));
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const filled = () => [0, 1, 2].map((n) => isHere(join(store.root, big(n)), big(n)));
  await read(0);
  await read(1);
  await read(0);
  const inode = statSync(join(store.root, big(1))).ino;
  await read(2);
  expect(filled()).toEqual([true, false, true]);
  // Another inode, by which readers that keep something of it in memory see that it is another file.
  expect(statSync(join(store.root, big(1)))).toMatchObject({ size: large });
  expect(statSync(join(store.root, big(1))).ino).not.toBe(inode);
  expect(store.bytes).toBe(2 * large);
  await read(1);
  expect(filled()).toEqual([false, true, true]);
});

test('a file that was just read stays, and a cache without room for more says so', async () => {
  const server = await host();
  const store = await open(server.url, { mostBytes: 2 * large + 1000 });
  await store.bringIn(join(store.root, big(0)));
  await store.bringIn(join(store.root, big(1)));
  await expect(store.bringIn(join(store.root, big(2)))).rejects.toMatchObject({
    code: 'no_space',
    message:
      "The cache of 6.0 MB has no room for 'runs/a/seed-2/sae.safetensors' (3.0 MB) beside 6.0 MB in use: give more with LAZYSCOPE_CACHE_SIZE, or with serve's --cache-size.",
  });
  expect(gets(server, big(2))).toEqual([]);
});

describe('a download that breaks off', () => {
  /** Ends the first answers about a file after half of it. */
  const breaking = (path: string, times: number): StaticServerOptions['instead'] => {
    let left = times;
    return (request, response) => {
      if (request.url !== `/${path}` || left-- <= 0) return false;
      const [, from] = /bytes=(\d+)-/.exec(request.headers.range ?? '') ?? [];
      const rest = original(path).subarray(Number(from));
      response.writeHead(206, {
        'content-range': `bytes ${from}-${large - 1}/${large}`,
        'content-length': rest.length,
      });
      response.write(rest.subarray(0, rest.length / 2), () => response.destroy());
      return true;
    };
  };

  test('goes on where it ended', async () => {
    const server = await host({ instead: breaking(big(0), 2) });
    const store = await open(server.url);
    await store.bringIn(join(store.root, big(0)));
    expect(isHere(join(store.root, big(0)), big(0))).toBe(true);
    const asked = gets(server, big(0)).map((range) => Number(range.slice(6, -1)));
    expect(asked).toHaveLength(3);
    expect(asked[0]).toBe(0);
    expect(asked[2]).toBeGreaterThan(0);
  });

  test('for good leaves the placeholder, and what came is used by the next process', async () => {
    const server = await host({ instead: breaking(big(0), 4) });
    const store = await open(server.url);
    const place = join(store.root, big(0));
    await expect(store.bringIn(place)).rejects.toMatchObject({ code: 'unavailable' });
    expect(readFileSync(place).subarray(0, 9).toString()).toBe('lazyscope');
    const again = await reopen(server.url);
    await again.bringIn(place);
    expect(isHere(place, big(0))).toBe(true);
    expect(Number(gets(server, big(0)).at(-1)?.slice(6, -1))).toBeGreaterThan(0);
  });

  test('from a host without ranges begins again', async () => {
    let broken = false;
    const server = await host({
      ranges: false,
      instead: (request, response) => {
        if (broken || request.url !== `/${big(0)}`) return false;
        broken = true;
        response.writeHead(200, { 'content-length': large });
        response.write(original(big(0)).subarray(0, large / 2), () => response.destroy());
        return true;
      },
    });
    const store = await open(server.url);
    await store.bringIn(join(store.root, big(0)));
    expect(isHere(join(store.root, big(0)), big(0))).toBe(true);
    expect(gets(server, big(0))).toHaveLength(2);
  });
});

describe('refused in one line, with nothing left to be read', () => {
  async function refusal(work: Promise<unknown>) {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown as { code: string; message: string },
    );
    expect(error).toMatchObject({ name: 'LazyscopeError' });
    expect(error?.message).not.toContain('\n');
    return `${error?.code}: ${error?.message}`;
  }

  test('a host that is gone', async () => {
    const server = await host();
    const store = await open(server.url);
    await server.close();
    const { host: name } = new URL(server.url);
    const line = `unavailable: '${name}' can't be reached (ECONNREFUSED): check the address and the network.`;
    expect(await refusal(store.bringIn(join(store.root, big(0))))).toBe(line);
    await opened.pop()?.close();
    expect(await refusal(open(server.url))).toBe(line);
  });

  test('a folder without a listing, and a listed file that is not there', async () => {
    const server = await host();
    expect(await refusal(open(`${server.url}/runs`))).toBe(
      `not_found: There is no store at '${server.url}/runs/': its folder must have the store.json that 'lazyscope store index' writes.`,
    );
    const store = await open(server.url);
    await rm(join(published.root, big(0)));
    expect(await refusal(store.bringIn(join(store.root, big(0))))).toContain(
      `not_found: '${server.url}/${big(0)}' is gone although store.json lists it`,
    );
  });

  test.each([
    ['changed', (bytes: Buffer) => bytes.fill(7, 10, 20)],
    ['longer', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('more')])],
  ])('a file that is %s', async (_, change) => {
    const server = await host();
    const store = await open(server.url);
    await write(big(0), change(original(big(0))));
    const place = join(store.root, big(0));
    expect(await refusal(store.bringIn(place))).toMatch(/^corrupt: .* is not the file that store.json lists/);
    expect(readFileSync(place).subarray(0, 9).toString()).toBe('lazyscope');
    const left = await readdir(join(dirname(store.root), 'partial'));
    expect(left.map((name) => statSync(join(dirname(store.root), 'partial', name)).size)).toEqual(
      left.map(() => 0),
    );
  });

  test('a file that is shorter', async () => {
    const server = await host();
    const store = await open(server.url);
    await truncate(join(published.root, big(0)), large / 2);
    expect(await refusal(store.bringIn(join(store.root, big(0))))).toMatch(/^unavailable: /);
  });

  test('a redirect to another host, which is not asked; one on the same host is followed', async () => {
    const other = await host();
    const server = await host({
      instead: (request, response) => {
        if (request.url?.startsWith('/moved/')) return false;
        if (request.url?.startsWith('/near/'))
          response.writeHead(302, { location: request.url.replace('/near/', '/') }).end();
        else if (request.url?.startsWith('/far/'))
          response.writeHead(301, { location: `${other.url}/store.json` }).end();
        else if (request.url?.startsWith('/round/')) response.writeHead(307, { location: request.url }).end();
        else return false;
        return true;
      },
    });
    expect(await refusal(open(`${server.url}/far`))).toContain(
      `leads to '${other.url}', and no other host than the given one is asked`,
    );
    expect(other.requests).toEqual([]);
    expect(await refusal(open(`${server.url}/round`))).toContain('more than 5 times');
    const store = await open(`${server.url}/near`);
    expect(existsSync(join(store.root, 'runs/a/run.json'))).toBe(true);
  });

  test('a host that falls silent', async () => {
    const server = await host({
      instead: (request, response) => {
        if (request.url !== `/${big(0)}`) return false;
        response.writeHead(206, { 'content-range': `bytes 0-${large - 1}/${large}` }).flushHeaders();
        return true;
      },
    });
    const store = await open(server.url, { patience: 100 });
    expect(await refusal(store.bringIn(join(store.root, big(0))))).toMatch(
      /^unavailable: '.*' sent nothing for 0.1 s: try again later.$/,
    );
  });

  test('another range than was asked for, and a refusal', async () => {
    const server = await host({
      instead: (request, response) => {
        if (request.url === `/${big(0)}`)
          response.writeHead(206, { 'content-range': `bytes 5-9/${large}` }).end('wrong');
        else if (request.url === `/${big(1)}`) response.writeHead(403).end();
        else return false;
        return true;
      },
    });
    const store = await open(server.url);
    expect(await refusal(store.bringIn(join(store.root, big(0))))).toContain('another range');
    expect(await refusal(store.bringIn(join(store.root, big(1))))).toContain('answered 403');
    // What no second question can change is asked once.
    expect(gets(server, big(1))).toHaveLength(1);
  });

  test.each([
    '../outside.json',
    'runs/../../outside.json',
    '/etc/passwd',
    'runs/a/.hidden',
    'runs\\a',
    'C:/runs/a',
    'lazyscope.duckdb',
    'manifest-index.json',
    'server.json',
    'runs//a',
    'runs/a/',
    'elsewhere/a',
    'runs/a\n/b',
  ])('a listing with the path %j', async (path) => {
    const server = await host();
    await relist((files) => files.push({ path, bytes: 1, sha256: '0'.repeat(64) }) && files);
    expect(await refusal(open(server.url))).toMatch(/^corrupt: .*is not the path of a file of a store/);
    expect(await readdir(folder)).toEqual(expect.not.arrayContaining(['outside.json']));
  });

  test('a listing that names a file twice, or as a folder too', async () => {
    const server = await host();
    const sha256 = '0'.repeat(64);
    await relist((files) => [
      ...files,
      { path: big(0).toUpperCase().replace('RUNS', 'runs'), bytes: 1, sha256 },
    ]);
    expect(await refusal(open(server.url))).toContain('twice');
    await indexStore({ store: published });
    await relist((files) => [...files, { path: `${big(0)}/a`, bytes: 1, sha256 }]);
    expect(await refusal(open(server.url))).toContain('twice');
  });

  test('a listing without an end, of which no more is read than any store needs', async () => {
    let sent = 0;
    const server = await host({
      instead: (_, response) => {
        response.writeHead(200);
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(1 << 20, 32))) sent++;
          sent++;
        };
        response.on('drain', more);
        more();
        return true;
      },
    });
    expect(await refusal(open(server.url))).toContain('bad_input');
    expect(sent).toBeLessThan(128);
  });

  test.each([
    ['ftp://host/study', "'ftp://' is not read as a store"],
    ['https://me:secret@host/study', "'host' can have neither a password nor parameters"],
    ['https://host/study?key=secret', 'neither a password nor parameters'],
    ['https://', 'is not an address'],
  ])('the address %s', async (url, why) => {
    const line = await refusal(open(url));
    expect(line).toContain(why);
    expect(line).not.toContain('secret');
  });
});

describe('a copy', () => {
  test('has the same bytes, goes on where it was stopped, and does not overwrite', async () => {
    const server = await host();
    const store = new StoreLayout(join(folder, 'copy'));
    const fetched = await fetchStore({ source: new HttpSource(server.url), store });
    const bytes = 3 * large + original(table).length + original('runs/a/run.json').length;
    expect(fetched).toEqual({ url: `${server.url}/`, files: 5, bytes, kept: 0 });
    for (const path of ['runs/a/run.json', table, big(0), big(1), big(2)])
      expect(isHere(join(store.root, path), path)).toBe(true);
    await rm(join(store.root, big(1)));
    expect(await fetchStore({ source: new HttpSource(server.url), store })).toMatchObject({
      files: 5,
      kept: 4,
    });
    await writeFile(join(store.root, 'runs/a/run.json'), '{"mine":true}');
    await expect(fetchStore({ source: new HttpSource(server.url), store })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(readFileSync(join(store.root, 'runs/a/run.json'), 'utf8')).toBe('{"mine":true}');
  });
});
