/** Files of the store that jobs write and the server reads: shards of captures, metrics, tables, pages of features. */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { openCapture } from '../../sae/activations/openCapture.ts';
import type { CaptureManifest, Shard } from '../../sae/spec/manifests/capture.ts';
import { FeaturePages, writeFeaturePages } from '../../sae/features/featurePages.ts';
import { featureTable } from '../../sae/spec/tables/features.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, storedTable } from '../../sae/store/tableSql.ts';
import { readMetrics } from '../../sae/training/metrics.ts';
import { readThinnedMetrics } from '../../sae/training/thinnedMetrics.ts';
import { holds, type FuzzedFormat } from './fuzzedFormat.ts';
import { mutateBytes, pick } from './mutateBytes.ts';
import { mutateJson } from './mutateJson.ts';
import { placeCase } from './placeCase.ts';

const past = join(import.meta.dirname, '../../sae/store/fixtures/store-v1');

export const arrowShards: FuzzedFormat = {
  name: 'arrow-shards',
  prepare: async (folder) => {
    const store = new StoreLayout(folder);
    const name = 'letters';
    const capture = store.capture(name);
    cpSync(join(past, 'captures/letters'), capture, { recursive: true });
    const manifest = JSON.parse(readFileSync(store.captureManifest(name), 'utf8')) as CaptureManifest;
    // A sound shard where a hostile manifest may point.
    const [first] = manifest.hooks;
    for (const outside of [join(capture, '../outside.bin'), join(folder, 'outside.bin')])
      cpSync(join(capture, first.shards[0].file), outside);
    const files = [manifest.tokens, ...manifest.hooks.flatMap(({ shards }) => shards)].filter(
      (shard) => shard !== null,
    );
    const sound = new Map(files.map(({ file }) => [file, readFileSync(join(capture, file))]));
    return {
      write(random) {
        const changed = structuredClone(manifest);
        for (const [file, bytes] of sound) {
          rmSync(join(capture, file), { recursive: true, force: true });
          mkdirSync(dirname(join(capture, file)), { recursive: true });
          writeFileSync(join(capture, file), bytes);
        }
        if (random.uniform() < 0.4)
          return placeCase(store.captureManifest(name), JSON.stringify(mutateJson(manifest, random)), random);
        // The checksum is made to fit, so that it is the lengths that have to be looked at.
        const { file } = pick(random, files);
        const whole = sound.get(file) ?? Buffer.alloc(0);
        const headers = Array.from({ length: 200 }, (_, i) =>
          i < 100 ? 8 + 4 * i : whole.length - 4 * (i - 99),
        );
        const bytes = mutateBytes(whole, random, headers);
        const fit = (shard: Shard): Shard =>
          shard.file === file
            ? { ...shard, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
            : shard;
        changed.tokens = changed.tokens && fit(changed.tokens);
        changed.hooks = changed.hooks.map((hook) => ({ ...hook, shards: hook.shards.map(fit) }));
        placeCase(store.captureManifest(name), JSON.stringify(changed), random);
        return placeCase(join(capture, file), bytes, random);
      },
      async read() {
        const opened = await openCapture(store, name);
        try {
          const { contexts, contextLength, hooks, tokens } = opened.manifest;
          holds(
            opened.tokens.length === contexts * contextLength,
            `${opened.tokens.length} tokens of ${contexts} contexts`,
          );
          for (const { file } of [...hooks.flatMap(({ shards }) => shards), ...(tokens ? [tokens] : [])]) {
            const way = relative(capture, join(capture, file));
            holds(!way.startsWith('..') && !way.startsWith('/'), `'${file}' was read, outside the capture`);
          }
          for (const { hook, width } of hooks) {
            const rows = opened.trainRows + opened.heldOutRows;
            holds(opened.readRows(hook, 0, rows).length === rows * width, `rows of '${hook}' are missing`);
          }
        } finally {
          opened.close();
        }
      },
    };
  },
};

export const metricsArrow: FuzzedFormat = {
  name: 'metrics-arrow',
  prepare: async (folder) => {
    const path = join(folder, 'metrics.arrow');
    const sound = readFileSync(join(past, 'runs/topk/metrics.arrow'));
    writeFileSync(path, sound);
    const { length } = await readMetrics(path);
    const places: number[] = [];
    for (
      let at = sound.indexOf(Buffer.from([255, 255, 255, 255]));
      at >= 0;
      at = sound.indexOf(Buffer.from([255, 255, 255, 255]), at + 4)
    )
      for (let field = 0; field < 600; field += 4) places.push(at + field);
    return {
      write: (random) => placeCase(path, mutateBytes(sound, random, places), random),
      async read() {
        const rows = await readMetrics(path);
        // A change may repeat a piece of the file, so a batch may be there twice.
        holds(rows.length <= 2 * length + 64, `${rows.length} rows of ${length}`);
        const thinned = await readThinnedMetrics(path, [0, 1, 2], 5);
        holds(
          [...thinned.values()].every((some) => some.length <= 5),
          'more rows than were asked for',
        );
      },
    };
  },
};

export const parquet: FuzzedFormat = {
  name: 'parquet',
  prepare: async (folder) => {
    const path = join(folder, 'features.parquet');
    const sound = readFileSync(join(past, 'runs/topk/seed-0/features.parquet'));
    writeFileSync(path, sound);
    const read = () =>
      queryRows(featureTable, `SELECT ${columnList(featureTable)} FROM ${storedTable(featureTable)}`, {
        path,
      });
    const { length } = await read();
    // The footer, which says where everything is.
    const places = Array.from({ length: 400 }, (_, i) => Math.max(0, sound.length - 4 - 4 * i));
    return {
      write: (random) => placeCase(path, mutateBytes(sound, random, places), random),
      async read() {
        const rows = await read();
        holds(rows.length <= 2 * length, `${rows.length} rows of ${length}`);
      },
    };
  },
};

export const featurePages: FuzzedFormat = {
  name: 'feature-pages',
  prepare: async (folder) => {
    const store = new StoreLayout(folder);
    const dictionary = { run: 'topk', seed: 0 };
    for (const file of ['features.parquet', 'examples.parquet'])
      cpSync(join(past, 'runs/topk/seed-0', file), join(store.runSeed('topk', 0), file), { recursive: true });
    await writeFeaturePages({ store, ...dictionary });
    const path = store.featurePages('topk', 0);
    const sound = readFileSync(path);
    const whole = await FeaturePages.open(store, dictionary);
    const latents = whole?.latents ?? 0;
    const pages = Array.from({ length: latents }, (_, latent) => JSON.stringify(whole?.page(latent)));
    // The length of the header, what it says of places, and what follows it.
    const places = Array.from({ length: 600 }, (_, i) => 4 * i);
    return {
      write: (random) => placeCase(path, mutateBytes(sound, random, places), random),
      async read() {
        const file = await FeaturePages.open(store, dictionary);
        if (!file) return;
        holds(file.latents === latents, `${file.latents} latents of ${latents}`);
        const { columns } = file.columns();
        for (const column of Object.values(columns)) {
          const rows = 'offsets' in column ? column.offsets.length - 1 : column.length;
          holds(rows === latents, `a column of ${rows} rows`);
        }
        for (let latent = 0; latent < latents; latent++)
          holds(JSON.stringify(file.page(latent)) === pages[latent], `another page of latent ${latent}`);
      },
    };
  },
};
