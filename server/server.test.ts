/** Tests the whole path: typed client → HTTP → router → query → the fixture store's files, whose features are planted. */
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { measureMatchings } from '../sae/comparison/matchings/measureMatchings.ts';
import { measureReproducibility } from '../sae/comparison/reproducibility/measureReproducibility.ts';
import { storedComparisons } from '../sae/comparison/storedCounterparts.ts';
import { matchTable } from '../sae/spec/tables/matches.ts';
import { writeParquet } from '../sae/store/parquet.ts';
import { queryRows } from '../sae/store/queryRows.ts';
import { columnList, storedTable } from '../sae/store/tableSql.ts';
import { createApp } from './app.ts';
import { createLazyscopeClient } from './client.ts';
import { Guard } from './guard.ts';
import { openContext } from './openContext.ts';
import { startTestServer } from './testServer.ts';
import type { TestServer } from './testServer.ts';

let on: TestServer;
beforeAll(async () => {
  on = await startTestServer();
});
afterAll(async () => {
  await on?.stop();
});

const topk = { run: 'fixture-topk', seed: 0 } as const;

describe('overview, models and captures', () => {
  test('the overview counts what the store holds', async () => {
    const none = { damaged: 0, newer: 0 };
    const { backend: _, ...counts } = await on.client.overview.get.query();
    expect(counts).toEqual({
      runs: 6,
      features: 6 * 64,
      captures: 1,
      models: 2,
      comparisons: 6,
      sparsityReports: 2,
      leftOut: { runs: none, captures: none, comparisons: none, sparsityReports: none },
      dataFolder: on.store.root,
      version: '0.0.0-test',
    });
  });

  test.each(['../../etc', '/etc', '..', 'a/b', 'x\0y'])(
    'a model is generated with by its name alone: %j is refused and opens no folder',
    async (model) => {
      await expect(
        on.client.models.generate.mutate({ model, prompt: 'a', maxNewTokens: 1 }),
      ).rejects.toMatchObject({ data: { httpStatus: 400 } });
    },
  );

  test('a prompt with a NUL character is a bad request', async () => {
    const { name } = (await on.client.models.list.query())[0];
    await expect(
      on.client.models.generate.mutate({ model: name, prompt: 'a\0b', maxNewTokens: 1 }),
    ).rejects.toMatchObject({ data: { httpStatus: 400 } });
  });

  test('models say their shape and count their weights from the file headers', async () => {
    const models = await on.client.models.list.query();
    expect(models.map((m) => [m.name, m.family, m.activation, m.layers, m.d, m.neurons])).toEqual([
      ['fixture-gelu', 'llama', 'gelu', 2, 32, 64],
      ['fixture-relu', 'llama', 'relu', 2, 32, 64],
    ]);
    const [{ vocabulary, parameters }] = models;
    // Embedding and final norm; per layer two norms, four attention and three MLP matrices.
    expect(parameters).toBe(vocabulary * 32 + 32 + 2 * (2 * 32 + 4 * 32 * 32 + 3 * 32 * 64));
  });

  test('a capture counts tokens, rows and bytes', async () => {
    const [row] = await on.client.captures.list.query();
    expect(row).toMatchObject({ name: 'fixture', tokens: 96 * 32, heldOutTokens: 64 * 32, rows: 96 * 31 });
    const { manifest } = await on.client.captures.get.query({ name: 'fixture' });
    expect(row.bytes).toBe(manifest.hooks[0].shards[0].bytes + (manifest.tokens?.bytes ?? 0));
  });
});

describe('runs', () => {
  test('a row for each run and seed, with its evaluation', async () => {
    const rows = await on.client.runs.list.query();
    expect(rows.map((r) => `${r.name}/${r.seed}`)).toEqual([
      'fixture-relu/0',
      'fixture-relu/1',
      'fixture-relu/2',
      'fixture-topk/0',
      'fixture-topk/1',
      'fixture-topk/2',
    ]);
    const { seeds } = await on.client.runs.get.query({ name: 'fixture-topk' });
    expect(rows[3]).toMatchObject({
      k: 8,
      sparsityCoefficient: null,
      model: 'fixture-relu',
      deadFraction: 4 / 64,
      fvu: seeds[0].evaluation?.fvu,
      indexed: true,
    });
  });

  test('metrics are thinned evenly and keep the first and the last row', async () => {
    const all = await on.client.runs.metrics.query({ name: 'fixture-topk' });
    expect(all.seeds.map(({ seed, step }) => [seed, step.length])).toEqual([
      [0, 40],
      [1, 40],
      [2, 40],
    ]);
    const few = await on.client.runs.metrics.query({ name: 'fixture-topk', maxPoints: 5 });
    expect(few.seeds[0].step).toHaveLength(5);
    expect([few.seeds[0].step[0], few.seeds[0].step[4]]).toEqual([5, 200]);
    expect(few.seeds[0].values['fvu'][4]).toBeCloseTo(0.15 + 0.85 * Math.exp(-200 / 40), 10);
  });

  test('a damaged evaluation takes its figures away, not the run, and is not said to be missing', async () => {
    const path = on.store.evaluation('fixture-relu', 1);
    const before = await readFile(path);
    await writeFile(path, before.subarray(0, 40));
    const rows = await on.client.runs.list.query();
    const { seeds } = await on.client.runs.get.query({ name: 'fixture-relu' });
    await writeFile(path, before);
    expect(seeds.map(({ evaluationFault }) => evaluationFault)).toEqual([null, 'damaged', null]);
    expect(seeds[1].evaluation).toBe(null);
    expect(rows.find((r) => r.name === 'fixture-relu' && r.seed === 1)).toMatchObject({
      fvu: null,
      evaluationFault: 'damaged',
      width: 64,
    });
    expect(on.log.some((line) => line.includes(path))).toBe(true);
  });
});

describe('features', () => {
  test('stability has the planted values: 30 in both other seeds, 10 in one, 24 in none', async () => {
    const { rows, total } = await on.client.features.list.query({ ...topk, limit: 500 });
    expect(total).toBe(64);
    const count = (stability: number) => rows.filter((r) => r.stability === stability).length;
    expect([count(1), count(0.5), count(0)]).toEqual([30, 10, 24]);
  });

  test('every sort orders, in both directions', async () => {
    for (const sort of ['density', 'maxActivation', 'stability', 'encoderDecoderCosine', 'latent'] as const)
      for (const order of ['asc', 'desc'] as const) {
        const { rows } = await on.client.features.list.query({ ...topk, sort, order, limit: 64 });
        const values = rows.map((r) => Number(r[sort]));
        expect(values).toEqual([...values].sort((a, b) => (order === 'asc' ? a - b : b - a)));
      }
  });

  test('pages are stretches of one order', async () => {
    const whole = await on.client.features.list.query({ ...topk, limit: 30 });
    const second = await on.client.features.list.query({ ...topk, offset: 10, limit: 10 });
    expect(second.rows).toEqual(whole.rows.slice(10, 20));
    const beyond = await on.client.features.list.query({ ...topk, offset: 1000 });
    expect(beyond).toEqual({ total: 64, rows: [], searched: null });
  });

  test('filters narrow, alone and together', async () => {
    const dead = await on.client.features.list.query({ ...topk, filter: { dead: true } });
    expect(dead.total).toBe(4);
    expect(dead.rows.every((r) => r.firings === 0)).toBe(true);
    const stable = await on.client.features.list.query({
      ...topk,
      filter: { minStability: 1, minDensity: 0.005 },
    });
    expect(stable.total).toBeGreaterThan(0);
    expect(stable.total).toBeLessThan(30);
    expect(stable.rows.every((r) => r.stability === 1 && r.density >= 0.005)).toBe(true);
  });

  test('the token search finds the feature of the commonest word, and nothing for nonsense', async () => {
    const [{ topTokens, latent }] = (await on.client.features.list.query({ ...topk, limit: 1 })).rows;
    const word = topTokens[0].text;
    const found = await on.client.features.list.query({ ...topk, filter: { token: word.toUpperCase() } });
    expect(found.rows.map((r) => r.latent)).toContain(latent);
    const none = await on.client.features.list.query({ ...topk, filter: { token: 'qqqq' } });
    expect(none).toEqual({ total: 0, rows: [], searched: null });
  });

  test('a feature comes with examples whose peak is where it says', async () => {
    const [{ latent }] = (await on.client.features.list.query({ ...topk, limit: 1 })).rows;
    const feature = await on.client.features.get.query({ ...topk, latent });
    expect(feature.examples[0].band).toBe('top');
    expect(feature.examples.slice(1).map((e) => e.band)).toEqual(
      feature.examples
        .slice(1)
        .map((e) => e.band)
        .sort()
        .reverse(),
    );
    for (const { examples } of feature.examples)
      for (const { activation, activations, tokens, position, start } of examples) {
        expect(activations).toHaveLength(tokens.length);
        expect(activations[position - start]).toBeCloseTo(activation, 5);
        // A concept is one word: that is the token at the peak.
        expect(tokens[position - start].id).toBe(feature.topTokens[0].id);
      }
    expect(feature.examples[0].examples[0].activation).toBeCloseTo(feature.maxActivation, 5);
    // The decoder row is the word's embedding but for noise, so it promotes the word.
    expect(feature.promoted[0].id).toBe(feature.topTokens[0].id);
    expect(feature.neighbours).toHaveLength(8);
  });

  test('counterparts are the same word in every other seed, seen from either side', async () => {
    const [{ latent }] = (await on.client.features.list.query({ ...topk, limit: 1 })).rows;
    const feature = await on.client.features.get.query({ ...topk, latent });
    expect(feature.counterparts.map((c) => [c.run, c.seed, c.shared])).toEqual([
      ['fixture-topk', 1, true],
      ['fixture-topk', 2, true],
    ]);
    expect(feature.comparedSeeds).toBe(2);
    for (const { run, seed, latent: other, topExample, promoted, density } of feature.counterparts) {
      expect(promoted[0].id).toBe(feature.topTokens[0].id);
      expect(density).toBe(feature.density);
      expect(topExample?.tokens[topExample.position - topExample.start].id).toBe(feature.topTokens[0].id);
      if (other === null) throw new Error('a shared latent has a counterpart');
      const back = await on.client.features.get.query({ run, seed, latent: other });
      expect(back.counterparts.find((c) => c.seed === 0)).toMatchObject({ latent, shared: true });
    }
  });
});

describe('comparisons', () => {
  test('the planted shared fraction is found, and the curve passes through it', async () => {
    const { manifest, curve } = await on.client.comparisons.get.query({ name: 'fixture-topk-0-1' });
    expect(manifest.shared).toBe(40 / 64);
    expect(curve).toHaveLength(101);
    expect(curve[70]).toMatchObject({ threshold: 0.7, shared: manifest.shared });
  });

  test('reproducibility of a run: nothing until it is measured, then the planted share, and each latent', async () => {
    const query = { name: 'fixture-topk' };
    expect(await on.client.runs.reproducibility.query(query)).toBeNull();
    const latent = { run: 'fixture-topk', seed: 0, latent: 3 };
    expect(await on.client.features.reproducibility.query(latent)).toBeNull();
    await measureReproducibility({ store: on.store, run: 'fixture-topk' });
    const found = await on.client.runs.reproducibility.query(query);
    expect(found).toMatchObject({ outdated: false, report: { run: 'fixture-topk', latents: 64 } });
    const { every, bySeed } = (await on.client.runs.reproducibility.query(query))!.report;
    const stability = await on.client.comparisons.stability.query({ runName: 'fixture-topk' });
    const full = stability.histogram.find((bar) => bar.stability === 1)?.latents ?? 0;
    expect(every.share).toBeCloseTo(full / (64 * bySeed.length), 12);
    expect(found?.curve).toHaveLength(41);
    const feature = await on.client.features.get.query(latent);
    const own = await on.client.features.reproducibility.query(latent);
    expect(own?.stability).toBe(feature.stability);
    expect(own?.others).toBe(feature.comparedSeeds);
  });

  test('matchings of a run and flows of a latent: nothing until they are judged, then both with what goes to the same places', async () => {
    const query = { name: 'fixture-topk' };
    const latent = { run: 'fixture-topk', seed: 0, latent: 3 };
    expect(await on.client.runs.matchings.query(query)).toBeNull();
    expect(await on.client.features.flows.query(latent)).toEqual([]);
    const report = await measureMatchings({
      store: on.store,
      run: 'fixture-topk',
      model: null,
      comparisons: await storedComparisons(on.store),
      maxTokens: 400,
      sample: 3,
      contexts: 1,
      epsilon: 0.03,
      rho: 0.5,
      threshold: 0.7,
    });
    expect(await on.client.runs.matchings.query(query)).toEqual({ report, outdated: false });
    const flows = await on.client.features.flows.query(latent);
    expect(flows.map(({ run, seed }) => `${run}/${seed}`)).toEqual(['fixture-topk/1', 'fixture-topk/2']);
    for (const { kind, sources, targets, flows: own } of flows) {
      expect(sources[0].latent).toBe(3);
      if (kind === 'same') expect(own.some(({ from, sent }) => from === 3 && sent >= 0.5)).toBe(true);
      const ends = new Set(targets.map((end) => end.latent));
      for (const { to, from } of own) {
        expect(ends.has(to)).toBe(true);
        expect(sources.some((end) => end.latent === from)).toBe(true);
      }
    }
  });

  test('matches carry both sides', async () => {
    const { rows, total } = await on.client.comparisons.matches.query({
      name: 'fixture-topk-0-1',
      shared: true,
      limit: 500,
    });
    expect(total).toBe(40);
    for (const row of rows) {
      expect(row.densityA).toBe(row.densityB);
      expect(row.promotedA[0]).toEqual(row.promotedB[0]);
    }
    const high = await on.client.comparisons.matches.query({ name: 'fixture-topk-0-1', maxCosine: 0.5 });
    expect(high.rows.every((row) => (row.decoderCosine ?? 1) <= 0.5 && !row.shared)).toBe(true);
  });

  test('stability over the seeds: histogram and unique features', async () => {
    const found = await on.client.comparisons.stability.query({ runName: 'fixture-topk' });
    expect(found.seeds).toEqual([0, 1, 2]);
    // Seeds 0 and 1: 30 in both others, 10 in one; seed 2: 30 in both others. The rest in none.
    expect(found.histogram).toEqual([
      { stability: 0, latents: 24 + 24 + 34 },
      { stability: 0.5, latents: 20 },
      { stability: 1, latents: 90 },
    ]);
    // 30 features common to all, 10 to two seeds, and what each seed has alone.
    expect(found.unique.at(-1)).toEqual({ seeds: 3, unique: 30 + 10 + 24 + 24 + 34, total: 192 });
  });

  test('another threshold moves pairs and orphans, as the curve says', async () => {
    const name = 'fixture-topk-0-1';
    const { curve, manifest } = await on.client.comparisons.get.query({ name });
    const sharedCounts = await Promise.all(
      [0.05, 0.4, 0.69, 0.95, 0.99].map(async (threshold) => {
        const { total, rows } = await on.client.comparisons.matches.query({ name, threshold, shared: true });
        expect(rows.every((row) => row.shared)).toBe(true);
        const here = curve.find((point) => Math.abs(point.threshold - threshold) < 1e-9)!;
        expect(total).toBe(Math.round(here.shared * manifest.latents));
        return total;
      }),
    );
    expect(new Set(sharedCounts).size).toBeGreaterThan(1);
    const orphansAt = async (threshold?: number) =>
      (
        await on.client.comparisons.orphans.query({
          run: 'fixture-topk',
          seed: 0,
          limit: 200,
          ...(threshold === undefined ? {} : { threshold }),
        })
      ).rows.map((row) => row.latent);
    const [own, same, strict] = [await orphansAt(), await orphansAt(0.7), await orphansAt(0.999)];
    expect(same).toEqual(own);
    expect(strict.length).toBeGreaterThan(own.length);
    expect(strict).toEqual(expect.arrayContaining(own));
  });

  test('orphans are live latents shared with no other seed', async () => {
    const { total, rows } = await on.client.comparisons.orphans.query({
      run: 'fixture-topk',
      seed: 2,
      limit: 500,
    });
    expect(total).toBe(30);
    expect(rows.every((r) => r.stability === 0 && !r.dead)).toBe(true);
  });
});

describe('sparsity', () => {
  test('reports, curves by ascending threshold and neurons by frequency', async () => {
    const list = await on.client.sparsity.list.query();
    expect(list.map((r) => [r.name, r.activation, r.neurons])).toEqual([
      ['fixture-gelu', 'gelu', 128],
      ['fixture-relu', 'relu', 128],
    ]);
    const [gelu, relu] = await on.client.sparsity.compare.query({ names: ['fixture-gelu', 'fixture-relu'] });
    expect(gelu.report.layers[0].activationRatio).toBe(1);
    expect(relu.report.layers[0].activationRatio).toBeLessThan(0.5);
    const [{ threshold }] = relu.curves;
    expect(threshold).toEqual([...threshold].sort((a, b) => a - b));
    expect(relu.positions[1].position).toEqual(Array.from({ length: 32 }, (_, i) => i));
    const { rows, total } = await on.client.sparsity.neurons.query({
      name: 'fixture-relu',
      layer: 1,
      limit: 10,
    });
    expect(total).toBe(64);
    expect(rows.map((r) => r.frequency)).toEqual(rows.map((r) => r.frequency).sort((a, b) => b - a));
    expect(rows[0].promoted.every(({ text }) => text.length > 0)).toBe(true);
  });
});

describe('a neuron and the features it aligns with', () => {
  test('its figures, its examples with their peaks, and the latents it writes on the same model', async () => {
    const [{ neuron, frequency }] = (
      await on.client.sparsity.neurons.query({
        name: 'fixture-relu',
        layer: 0,
        sort: 'neuron',
        order: 'asc',
        offset: 5,
        limit: 1,
      })
    ).rows;
    const detail = await on.client.sparsity.neuron.query({ name: 'fixture-relu', layer: 0, neuron });
    expect(detail).toMatchObject({ neuron: 5, frequency, neurons: 64, activation: 'relu' });
    expect(detail.lazier).toBeGreaterThanOrEqual(0);
    for (const { activation, activations, position, start, tokens } of detail.examples) {
      expect(activations[position - start]).toBeCloseTo(activation, 5);
      expect(tokens).toHaveLength(activations.length);
    }
    expect(detail.features.length).toBeGreaterThan(0);
    for (const { latent, cosine } of detail.features) expect(latent).toBe(cosine > 0.5 ? 5 : 4);
    // The GELU model has no dictionary.
    const other = await on.client.sparsity.neuron.query({ name: 'fixture-gelu', layer: 0, neuron: 5 });
    expect(other.features).toEqual([]);
  });

  test('neuron–feature alignment: stability of latents against the frequency of their neurons, from the store’s own tables', async () => {
    const found = await on.client.sparsity.neuronAlignment.query({ name: 'fixture-relu', ...topk });
    const { rows } = await on.client.sparsity.neurons.query({ name: 'fixture-relu', layer: 0, limit: 500 });
    const frequencies = new Map(rows.map((row) => [row.neuron, row.frequency]));
    expect(found.latent.length).toBe(found.groups.reduce((sum, group) => sum + group.latents, 0));
    found.latent.forEach((latent, i) => {
      expect(found.neuron[i]).toBe(latent % 64);
      expect(found.frequency[i]).toBe(frequencies.get(latent % 64));
    });
    for (const group of found.groups) {
      const own = found.frequency.filter((_, i) => found.stability[i] === group.stability);
      expect(group.frequency).toBeCloseTo(own.reduce((a, b) => a + b, 0) / own.length, 10);
      expect(group.cosine).toBeCloseTo(0.6, 10);
    }
    expect(Math.abs(found.correlation!)).toBeLessThanOrEqual(1);
    expect(await on.client.sparsity.carriers.query({ name: 'fixture-relu', ...topk })).toEqual(found);
    await expect(on.client.sparsity.neuronAlignment.query({ name: 'fixture-gelu', ...topk })).rejects.toThrow(
      /looks into 'fixture-relu', the report 'fixture-gelu' is of 'fixture-gelu'/,
    );
  });

  test('a table of a report is handed over as it lies in the store', async () => {
    const response = await fetch(`${on.server.url}/api/parquet/sparsity/fixture-relu/neurons`);
    expect(response.status).toBe(200);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.equals(await readFile(on.store.sparsityTable('fixture-relu', 'neurons')))).toBe(true);
    expect((await fetch(`${on.server.url}/api/parquet/sparsity/fixture-relu/tokens`)).status).toBe(404);
    expect((await fetch(`${on.server.url}/api/parquet/sparsity/fixture-relu/secrets`)).status).toBe(400);
  });

  test('as CSV too, of one layer or neuron where asked for; a total counts what the filter lets through', async () => {
    const csv = async (query: string) => {
      const response = await fetch(`${on.server.url}/api/csv/sparsity/fixture-relu/${query}`);
      return { status: response.status, lines: (await response.text()).trimEnd().split('\r\n') };
    };
    const all = await csv('neurons');
    expect(all.lines[0]).toMatch(/^layer,neuron,frequency,/);
    expect(all.lines).toHaveLength(1 + 2 * 64);
    const [, only, ...rest] = (await csv('neurons?layer=1&neuron=5')).lines;
    expect(rest).toEqual([]);
    expect(only).toBe(all.lines[1 + 64 + 5]);
    const [, none] = (await csv('tradeoff')).lines;
    expect(none).toMatch(/^none,,,0,/);
    expect((await csv('tradeoff?layer=1')).status).toBe(400);
    expect((await csv('tokens')).status).toBe(404);
    expect((await csv('neurons?layer=x')).status).toBe(400);

    const of = (firing: 'all' | 'firing' | 'dead') =>
      on.client.sparsity.neurons.query({ name: 'fixture-relu', layer: 0, firing, limit: 500 });
    const [everyone, firing, dead] = await Promise.all([of('all'), of('firing'), of('dead')]);
    expect(everyone.total).toBe(64);
    expect(firing.rows).toEqual(everyone.rows.filter(({ frequency }) => frequency > 0));
    expect(dead.rows).toEqual(everyone.rows.filter(({ frequency }) => frequency === 0));
    expect([firing.total, dead.total]).toEqual([firing.rows.length, dead.rows.length]);
  });

  test('emergence: observations by layer, and the law they were made by', async () => {
    const curves = await on.client.sparsity.emergence.query();
    expect(curves.map(({ model }) => model)).toEqual(['fixture-gelu', 'fixture-relu']);
    const [, relu] = curves;
    expect(relu.tokens[0]).toBe(0);
    expect(relu.activationRatio[9]).toHaveLength(2);
    expect(relu.law).toMatchObject({ form: 'logspace-power' });
    expect(relu.law!.alpha).toBeCloseTo(0.5, 1);
    expect(relu.law!.limit).toBeCloseTo(0.05, 2);
  });
});

describe('labels', () => {
  test('a label is kept over a restart, shown in the list, and removed by an empty one', async () => {
    const feature = { ...topk, latent: 3 };
    await on.client.labels.set.mutate({ ...feature, label: '  the sea ', note: 'ships too' });
    await on.restart();
    expect(await on.client.labels.list.query({ run: 'fixture-topk' })).toMatchObject([
      { ...feature, label: 'the sea', note: 'ships too' },
    ]);
    const { rows } = await on.client.features.list.query({ ...topk, filter: { latent: 3 } });
    expect(rows[0].label).toBe('the sea');
    expect((await on.client.features.get.query(feature)).note).toBe('ships too');
    expect(await on.client.labels.set.mutate({ ...feature, label: '' })).toBeNull();
    expect(await on.client.labels.list.query({})).toEqual([]);
  });
});

describe('errors', () => {
  const failure = (request: Promise<unknown>) =>
    request.then(
      () => undefined,
      (error: { message: string; data?: { code?: string } }) => ({
        code: error.data?.code,
        message: error.message,
      }),
    );

  test('what is not there is named, with the remedy', async () => {
    expect(await failure(on.client.runs.get.query({ name: 'nothing' }))).toEqual({
      code: 'NOT_FOUND',
      message: "There is no run 'nothing': see the list of runs for those there are.",
    });
    expect(await failure(on.client.features.list.query({ run: 'fixture-topk', seed: 9 }))).toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await failure(on.client.features.get.query({ ...topk, latent: 64 }))).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('a name that leads out of the store is refused', async () => {
    const answer = await failure(on.client.runs.get.query({ name: '../../etc' }));
    expect(answer?.code).toBe('BAD_REQUEST');
  });

  test('input that is not what it must be is refused by field', async () => {
    const answer = await failure(on.client.features.list.query({ ...topk, limit: 10_000 }));
    expect(answer?.code).toBe('BAD_REQUEST');
    expect(answer?.message).toContain('limit');
  });

  test('a damaged table is named as such', async () => {
    const path = on.store.comparisonMatches('fixture-relu-0-1');
    const before = await readFile(path);
    await writeFile(path, before.subarray(0, before.length / 2));
    const answer = await failure(on.client.comparisons.matches.query({ name: 'fixture-relu-0-1' }));
    await writeFile(path, before);
    expect(answer?.code).toBe('UNPROCESSABLE_CONTENT');
    expect(answer?.message).toContain('matches.parquet');
  });

  test('a fault of the server is opaque to the client and whole in the log, beside the id that the answer carries', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lazyscope-fault-'));
    const lines: string[] = [];
    const { context, close } = await openContext({
      dataFolder: folder,
      bundledModels: [],
      version: '0.0.0-test',
      program: [process.execPath, '-e', ''],
      log: (line) => lines.push(line),
    });
    // No code expects that the list of labels fails.
    const labels = Object.assign(Object.create(context.labels) as typeof context.labels, {
      list: () => Promise.reject(new TypeError('twelve')),
    });
    const app = createApp({ ...context, labels }, new Guard({}));
    const listener = getRequestListener(app.fetch);
    const server = createServer((request, response) => {
      response.setHeader('x-request-id', 'the-id');
      void listener(request, response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const client = createLazyscopeClient({
      url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    });
    const answer = await failure(client.labels.list.query({}));
    server.closeAllConnections();
    server.close();
    await close();
    await rm(folder, { recursive: true });
    expect(answer?.code).toBe('INTERNAL_SERVER_ERROR');
    expect(answer?.message).not.toContain('twelve');
    expect(lines.at(-1)).toMatch(/^\[the-id\] labels\.list failed: .*twelve/s);
  });

  test('a table with the columns of another is named as such', async () => {
    const path = on.store.features('fixture-relu', 2);
    const before = await readFile(path);
    await writeFile(path, await readFile(on.store.comparisonCurve('fixture-relu-0-1')));
    const answer = await failure(on.client.features.list.query({ run: 'fixture-relu', seed: 2 }));
    await writeFile(path, before);
    expect(answer?.code).toBe('UNPROCESSABLE_CONTENT');
    expect(answer?.message).toMatch(/features\.parquet.*'latent'/);
  });
});

test('a store of another version opens: a column that its tables lack is null, one that they have beyond ours is ignored', async () => {
  const path = on.store.comparisonMatches('fixture-relu-0-1');
  const before = await readFile(path);
  const stored = await queryRows(
    matchTable,
    `SELECT ${columnList(matchTable)} FROM ${storedTable(matchTable)}`,
    { path },
  );
  const { firingJaccard: _, ...others } = matchTable;
  const columns = { ...others, mood: { type: 'VARCHAR', doc: 'of a later version' } } as const;
  const cellsOf = (name: keyof typeof others) =>
    stored.map((row) => row[name] ?? Number.NaN) as number[] | boolean[];
  const mood = stored.map(() => 'good');
  await writeParquet(path, columns, {
    latent: cellsOf('latent'),
    decoderMatch: cellsOf('decoderMatch'),
    decoderCosine: cellsOf('decoderCosine'),
    encoderMatch: cellsOf('encoderMatch'),
    encoderCosine: cellsOf('encoderCosine'),
    shared: cellsOf('shared'),
    nearest: cellsOf('nearest'),
    nearestCosine: cellsOf('nearestCosine'),
    activationCorrelation: cellsOf('activationCorrelation'),
    chanceP: cellsOf('chanceP'),
    isotropicP: cellsOf('isotropicP'),
    mood,
  });
  const query = { name: 'fixture-relu-0-1', sort: 'firingJaccard', order: 'desc' } as const;
  const { rows, total } = await on.client.comparisons.matches.query(query);
  await writeFile(path, before);
  const whole = await on.client.comparisons.matches.query({ ...query, sort: 'latent', order: 'asc' });
  expect(total).toBe(whole.total);
  expect(rows).toEqual(whole.rows.map((row) => ({ ...row, firingJaccard: null })));
});

describe('Arrow streams', () => {
  const fetchTable = async (path: string) => {
    const response = await fetch(`${on.server.url}/api/arrow/${path}`);
    expect(response.headers.get('content-type')).toBe('application/vnd.apache.arrow.stream');
    return tableFromIPC(new Uint8Array(await response.arrayBuffer()));
  };

  test('the feature table has a row for each latent and the stability that the list shows', async () => {
    const table = await fetchTable('features/fixture-topk/0');
    expect(table.numRows).toBe(64);
    const { rows } = await on.client.features.list.query({
      ...topk,
      sort: 'latent',
      order: 'asc',
      limit: 64,
    });
    expect([...(table.getChild('stability') ?? [])]).toEqual(rows.map((r) => r.stability));
    expect([...(table.getChild('density') ?? [])]).toEqual(rows.map((r) => r.density));
  });

  test('every live latent of the seeds, with the stability that the list shows', async () => {
    const table = await fetchTable('stability/fixture-topk');
    expect(table.numRows).toBe(3 * 60);
    const { rows } = await on.client.features.list.query({
      ...topk,
      filter: { dead: false },
      sort: 'latent',
      order: 'asc',
      limit: 64,
    });
    const column = (name: string) => [...(table.getChild(name) ?? [])].slice(0, rows.length);
    expect(column('seed').every((seed) => seed === 0)).toBe(true);
    expect(column('latent')).toEqual(rows.map((r) => r.latent));
    expect(column('stability')).toEqual(rows.map((r) => r.stability));
    expect(column('density')).toEqual(rows.map((r) => Math.fround(r.density)));
  });

  test('metrics and matches', async () => {
    expect((await fetchTable('metrics/fixture-topk')).numRows).toBe(3 * 40);
    expect((await fetchTable('matches/fixture-topk-0-1')).numRows).toBe(64);
  });

  test('the map has a point for each latent of both, with what colours it', async () => {
    const table = await fetchTable('map/fixture-topk-0-1');
    expect(table.numRows).toBe(128);
    const column = (name: string) => [...(table.getChild(name) ?? [])];
    const { rows } = await on.client.features.list.query({
      ...topk,
      sort: 'latent',
      order: 'asc',
      limit: 64,
    });
    expect(column('stability').slice(0, 64)).toEqual(rows.map((r) => r.stability));
    const close = column('density')
      .slice(0, 64)
      .map((value, i) => Math.abs(value - rows[i].density));
    expect(Math.max(...close)).toBeLessThan(1e-6);
    const { manifest } = await on.client.comparisons.get.query({ name: 'fixture-topk-0-1' });
    const shared = column('shared');
    for (const side of [shared.slice(0, 64), shared.slice(64)])
      expect(side.filter(Boolean)).toHaveLength(Math.round(manifest.shared * 64));
  });

  test('what is not there answers 404 with the sentence', async () => {
    const response = await fetch(`${on.server.url}/api/arrow/features/nothing/0`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code: 'not_found' } });
  });
});
