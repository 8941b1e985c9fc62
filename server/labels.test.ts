/** Labels and lists of features: where they come from, and what files of them do. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeLabels } from '../sae/labels/labelsTable.ts';
import { longestLabel } from '../sae/spec/labelSources.ts';
import { Database } from './database.ts';
import { startTestServer, type TestServer } from './testServer.ts';

let on: TestServer;
beforeAll(async () => {
  on = await startTestServer();
});
afterAll(() => on.stop());

const run = 'fixture-topk';
const topk = { run, seed: 0 };
const createdAt = '2026-01-02T03:04:05.000Z';
const counts = { positives: 10, truePositives: 9, negatives: 50, trueNegatives: 40, unanswered: 1 };
const automatic = (latent: number, label: string, model: string | null = null) => ({
  latent,
  label,
  model,
  createdAt,
  detection: counts,
  fuzzing: null,
});
const page = (input: Parameters<typeof on.client.labels.page.query>[0] = {}) =>
  on.client.labels.page.query(input);
const clear = async () => {
  for (const { run: of, seed, latent } of await on.client.labels.list.query({}))
    await on.client.labels.set.mutate({ run: of, seed, latent, label: '' });
};

describe('where a label comes from', () => {
  test('a person’s label is shown before the endpoint’s, and that before one from the data; all are told on the page', async () => {
    await writeLabels(on.store.automaticLabels(run, 0, 'data'), [automatic(1, 'rule 1'), automatic(2, 'rule 2'), automatic(3, 'rule 3')]); // prettier-ignore
    await writeLabels(on.store.automaticLabels(run, 0, 'endpoint'), [automatic(2, 'read 2', 'small-model'), automatic(3, 'read 3', 'small-model')]); // prettier-ignore
    await on.client.labels.set.mutate({ ...topk, latent: 3, label: 'hand 3' });
    const { rows, total, counts: bySource } = await page();
    expect(total).toBe(3);
    expect(bySource).toEqual({ hand: 1, data: 1, endpoint: 1, carried: 0, imported: 0 });
    expect(rows.map(({ latent, label, source }) => [latent, label, source])).toEqual([
      [1, 'rule 1', { kind: 'data' }],
      [2, 'read 2', { kind: 'endpoint', model: 'small-model' }],
      [3, 'hand 3', { kind: 'hand' }],
    ]);
    expect(await on.client.labels.names.query(topk)).toEqual([
      [1, 'rule 1'],
      [2, 'read 2'],
      [3, 'hand 3'],
    ]);
    const feature = await on.client.features.get.query({ ...topk, latent: 3 });
    expect(feature.labelled).toMatchObject({ label: 'hand 3', source: { kind: 'hand' } });
    expect(feature.automaticLabels.map(({ label }) => label)).toEqual(['read 3', 'rule 3']);
    await on.client.labels.set.mutate({ ...topk, latent: 3, label: '' });
    expect((await on.client.features.get.query({ ...topk, latent: 3 })).label).toBe('read 3');
  });

  test('a score comes with its counts, the balanced accuracy they make and an interval around it', async () => {
    const { rows } = await page({ source: 'data' });
    expect(rows[0].detection).toMatchObject({ ...counts, balancedAccuracy: (9 / 10 + 40 / 50) / 2 });
    const [low, high] = rows[0].detection!.interval;
    expect(low).toBeLessThan(0.85);
    expect(high).toBeGreaterThan(0.85);
    expect(rows[0].fuzzing).toBeNull();
  });

  test('a note of a person stands beside an automatic label and doesn’t replace it', async () => {
    await on.client.labels.set.mutate({ ...topk, latent: 1, label: '', note: 'not before names' });
    expect(await on.client.features.get.query({ ...topk, latent: 1 })).toMatchObject({
      label: 'rule 1',
      note: 'not before names',
    });
    expect((await page({ text: 'before names' })).rows.map(({ latent }) => latent)).toEqual([1]);
    await clear();
  });

  test('automatic labels are searched and filtered by, like others', async () => {
    const find = await on.client.search.find.query({ text: 'read', run, seed: 0 });
    expect(find.rows.filter(({ byLabel }) => byLabel).map(({ latent }) => latent)).toEqual([2, 3]);
    const { rows } = await on.client.features.list.query({ ...topk, sort: 'latent', order: 'asc', filter: { labelled: true } }); // prettier-ignore
    expect(rows.map(({ latent, label }) => [latent, label])).toEqual([[1, 'rule 1'], [2, 'read 2'], [3, 'read 3']]); // prettier-ignore
    const others = await on.client.features.list.query({ ...topk, filter: { labelled: false } });
    expect(others.total).toBe(61);
  });

  test('a database of an earlier version opens, its labels are a hand’s, and that version can still write', async () => {
    await on.server.close();
    const database = await Database.open(on.store.database());
    await database.query(`INSERT INTO labels VALUES ('${run}', 1, 5, 'old label', 'old note', '2025-01-01')`);
    await database.query(
      `INSERT INTO "labelOrigins" VALUES ('${run}', 1, 5, '2024-01-01', '{"kind":"imported","was":null}')`,
    );
    await database.close();
    await on.restart().catch(() => {});
    expect(await on.client.labels.list.query({ run, seed: 1 })).toMatchObject([
      { latent: 5, label: 'old label', note: 'old note', source: { kind: 'hand' } },
    ]);
    await clear();
  });
});

describe('a job of labelling', () => {
  test('finds rules, which are the labels that the server then shows', async () => {
    const relu = { run: 'fixture-relu', seed: 0 };
    const job = await on.client.jobs.start.mutate({ kind: 'label', options: { run: relu.run, seed: [0] } });
    expect(job.command).toBe('lazyscope label fixture-relu --seed=0');
    await expect
      .poll(async () => (await on.client.jobs.get.query({ id: job.id })).status, { timeout: 100_000 })
      .toBe('done');
    const { result } = await on.client.jobs.get.query({ id: job.id });
    const { rows } = await page({ ...relu, limit: 100 });
    expect(rows.length).toBeGreaterThan(0);
    expect(result).toMatchObject({ labelled: [{ ...relu, method: 'data', labelled: rows.length }] });
    expect(rows.every(({ source, detection }) => source?.kind === 'data' && detection !== null)).toBe(true);
    await rm(on.store.automaticLabels('fixture-relu', 0, 'data'));
    expect((await page(relu)).total).toBe(0);
  }, 120_000);
});

describe('the page of labels', () => {
  test('sorts by what is asked, unscored labels last in either order, and pages don’t overlap', async () => {
    await on.client.labels.set.mutate({ ...topk, latent: 9, label: 'zebra' });
    const order = async (sort: 'label' | 'detection' | 'feature', way: 'asc' | 'desc') =>
      (await page({ sort, order: way })).rows.map(({ latent }) => latent);
    expect(await order('label', 'asc')).toEqual([2, 3, 1, 9]);
    expect(await order('label', 'desc')).toEqual([9, 1, 3, 2]);
    expect((await order('detection', 'desc')).at(-1)).toBe(9);
    expect((await order('detection', 'asc')).at(-1)).toBe(9);
    const pages = await Promise.all([0, 2].map((offset) => page({ offset, limit: 2 })));
    expect(pages.flatMap(({ rows }) => rows.map(({ latent }) => latent))).toEqual([1, 2, 3, 9]);
    expect((await page({ run: 'fixture-relu' })).total).toBe(0);
    await clear();
  });
});

describe('a file of labels', () => {
  const importCsv = (text: string, more: object = {}) =>
    on.client.labels.import.mutate({ format: 'csv', text, ...more });

  test('says what it took, what it skipped and why, by line', async () => {
    const text = [
      'run,seed,latent,label,note',
      `${run},0,10,"ships, and ""boats""",a note`,
      `${run},0,64,beyond the last,`,
      `${run},7,1,no such seed,`,
      'nothing,0,1,no such run,',
      `${run},0,11,,empty`,
      `${run},0,x,no number,`,
      `${run},0,10,again,`,
      `${run},0,12,${'l'.repeat(longestLabel + 1)},`,
      `${run},0,13,"two`,
      'lines",',
    ].join('\r\n');
    const tried = await importCsv(text, { dryRun: true });
    expect(await on.client.labels.list.query({})).toEqual([]);
    const done = await importCsv(text);
    expect(done).toEqual(tried);
    expect(done).toMatchObject({ taken: 2, replaced: 0, skipped: 7 });
    expect(Object.fromEntries(done.examples.map(({ line, why }) => [line, why]))).toEqual({
      3: "run 'fixture-topk' has no latents beyond 63",
      4: "run 'fixture-topk' has no seed 7",
      5: "there is no run 'nothing'",
      6: 'there is no label',
      7: 'the latent is not a whole number: "x"',
      8: 'an earlier entry labels the same latent',
      9: 'the label is longer than 200 characters',
    });
    expect(await on.client.labels.list.query({})).toMatchObject([
      { latent: 10, label: 'ships, and "boats"', note: 'a note', source: { kind: 'imported', was: null } },
      { latent: 13, label: 'two\r\nlines' },
    ]);
    await clear();
  });

  test('goes out and comes in again as it was, in every format', async () => {
    const label = 'says "a, b"\u00A0– ünd 日本';
    await on.client.labels.set.mutate({ ...topk, latent: 20, label, note: 'one\ntwo' });
    await on.client.labels.set.mutate({ ...topk, latent: 21, label: '=1+1' });
    for (const format of ['csv', 'json', 'neuronpedia'] as const) {
      const file = await on.client.labels.export.query({ format, ...topk, source: 'hand' });
      expect(file.labels).toBe(2);
      // A spreadsheet shows it as text instead of computing it.
      if (format === 'csv') expect(file.text).toContain(`,'=1+1,`);
      await clear();
      const done = await on.client.labels.import.mutate({ format, text: file.text, ...topk });
      expect(done).toMatchObject({ taken: 2, skipped: 0 });
      expect(await on.client.labels.list.query({})).toMatchObject([
        {
          latent: 20,
          label,
          note: format === 'neuronpedia' ? '' : 'one\ntwo',
          source: { kind: 'imported', was: 'hand' },
        },
        { latent: 21, label: '=1+1' },
      ]);
      for (const latent of [20, 21]) await on.client.labels.set.mutate({ ...topk, latent, label: '' });
      await on.client.labels.set.mutate({ ...topk, latent: 20, label, note: 'one\ntwo' });
      await on.client.labels.set.mutate({ ...topk, latent: 21, label: '=1+1' });
    }
    await clear();
  });

  test('of Neuronpedia is read as its exports are: JSON Lines, indices as text, the author kept', async () => {
    const entry = (index: string, description: string, layer = '20-gemmascope-res-16k') =>
      JSON.stringify({ modelId: 'gemma-2-2b', layer, index, description, explanationModelName: 'gpt-4o-mini', typeName: 'oai_token-act-pair' }); // prettier-ignore
    const text = [
      entry('4', ' LaTeX formatting'),
      'not JSON',
      entry('5', 'negations'),
      entry('5', 'second'),
    ].join('\n');
    const into = { format: 'neuronpedia', ...topk } as const;
    expect(await on.client.labels.import.mutate({ ...into, text })).toMatchObject({
      taken: 2,
      examples: [
        { line: 2, why: 'it is not JSON' },
        { line: 4, why: 'an earlier entry labels the same latent' },
      ],
    });
    expect(await on.client.labels.list.query({})).toMatchObject([
      { latent: 4, label: 'LaTeX formatting', source: { kind: 'imported', was: 'gpt-4o-mini' } },
      { latent: 5, label: 'negations' },
    ]);
    await expect(on.client.labels.import.mutate({ format: 'neuronpedia', text })).rejects.toThrow(
      /say which run and seed/,
    );
    const mixed = [entry('1', 'a'), entry('1', 'b', '21-gemmascope-res-16k')].join('\n');
    await expect(on.client.labels.import.mutate({ ...into, text: mixed })).rejects.toThrow(/2 sources/);
    await clear();
  });

  test('keeps labels that are there unless told otherwise, and notes where the file has none', async () => {
    await on.client.labels.set.mutate({ ...topk, latent: 30, label: 'mine', note: 'my note' });
    const text = `latent,label\n30,theirs\n`;
    expect(await importCsv(text, topk)).toMatchObject({
      taken: 0,
      reasons: { 'the latent has a label, which was kept': 1 },
    });
    expect(await importCsv(text, { ...topk, overwrite: true })).toMatchObject({ taken: 1, replaced: 1 });
    expect(await on.client.labels.list.query({})).toMatchObject([{ label: 'theirs', note: 'my note' }]);
    await clear();
  });

  test.each([
    ['csv', 'latent;label\n1;x', /must name the columns 'latent' and 'label'/],
    ['csv', 'latent,label\n1,"open', /quote that opens in the record of line 2 is never closed/],
    ['json', 'hello', /neither a JSON list of labels nor JSON Lines/],
  ] as const)('%s that is none is refused whole: %j', async (format, text, message) => {
    await expect(on.client.labels.import.mutate({ format, text, ...topk })).rejects.toThrow(message);
    expect(await on.client.labels.list.query({})).toEqual([]);
  });

  test('of 2 MB, more than other requests may have, is taken in one step', async () => {
    const rows = Array.from({ length: 64 }, (_, latent) => `${latent},label ${latent},${'n'.repeat(9_900)}`);
    const padding = Array.from({ length: 150 }, (_, i) => `${100 + i},x,${'n'.repeat(9_900)}`);
    const done = await importCsv(['latent,label,note', ...rows, ...padding].join('\n'), { ...topk, seed: 2 });
    expect(done).toMatchObject({ taken: 64, skipped: 150 });
    await clear();
  });
});

describe('labels copied to counterparts', () => {
  test('stand at the matched latents of the other seeds, marked with where they come from and the cosine', async () => {
    const { counterparts } = await on.client.features.get.query({ ...topk, latent: 0 });
    const shared = counterparts.filter((one) => one.shared && one.sameConfiguration);
    const latent = 0;
    await on.client.labels.set.mutate({ ...topk, latent, label: 'carried concept' });
    const { carried, reasons } = await on.client.labels.carry.mutate({ ...topk, latent });
    expect(carried.map(({ run: to, seed, latent: there }) => ({ run: to, seed, latent: there }))).toEqual(
      shared.map(({ run: to, seed, latent: there }) => ({ run: to, seed, latent: there })),
    );
    expect(carried.length + Object.values(reasons).reduce((sum, n) => sum + n, 0)).toBe(2);
    for (const one of shared) {
      const there = await on.client.features.get.query({ run: one.run, seed: one.seed, latent: one.latent! });
      expect(there.labelled).toMatchObject({
        label: 'carried concept',
        source: { kind: 'carried', ...topk, latent, cosine: one.decoderCosine },
      });
    }
    const again = await on.client.labels.carry.mutate({ ...topk, latent });
    expect(again.carried).toEqual([]);
    expect(again.reasons).toMatchObject({ 'its counterpart has a label, which was kept': carried.length });
    await clear();
  });

  test('a latent without a label, and dictionaries that are not compared, are refused', async () => {
    await expect(on.client.labels.carry.mutate({ ...topk, latent: 50 })).rejects.toThrow(/no label to copy/);
    await on.client.labels.set.mutate({ ...topk, latent: 50, label: 'x' });
    await expect(
      on.client.labels.carry.mutate({ ...topk, latent: 50, to: [{ run, seed: 0 }] }),
    ).rejects.toThrow(/are not compared: run 'lazyscope compare/);
    await clear();
  });
});

describe('lists of features', () => {
  test('are made by adding to them, kept over a restart, and addressed by name', async () => {
    const features = [
      { ...topk, latent: 5 },
      { run: 'fixture-relu', seed: 1, latent: 2 },
    ];
    await on.client.lists.add.mutate({ name: 'sea-words', features });
    await on.client.lists.add.mutate({ name: 'starred', features: [features[0]] });
    await on.client.lists.note.mutate({ name: 'sea-words', note: 'for the talk' });
    await on.restart();
    expect(await on.client.lists.list.query()).toMatchObject([
      { name: 'sea-words', note: 'for the talk', features: 2 },
      { name: 'starred', features: 1 },
    ]);
    expect(await on.client.lists.of.query(features[0])).toEqual(['sea-words', 'starred']);
    const { rows } = await page({ list: 'sea-words' });
    expect(rows).toMatchObject([
      { ...features[1], label: null, lists: ['sea-words'] },
      { ...features[0], label: null, lists: ['sea-words', 'starred'] },
    ]);
    const filtered = await on.client.features.list.query({ ...topk, filter: { list: 'sea-words' } });
    expect(filtered.rows.map(({ latent }) => latent)).toEqual([5]);
    await on.client.lists.take.mutate({ name: 'sea-words', features: [features[0]] });
    expect((await page({ list: 'sea-words' })).total).toBe(1);
    await on.client.lists.remove.mutate({ name: 'sea-words' });
    await expect(page({ list: 'sea-words' })).rejects.toThrow(/There is no list 'sea-words'/);
  });

  test('take only features that exist, and all or none', async () => {
    await expect(
      on.client.lists.add.mutate({
        name: 'half',
        features: [
          { ...topk, latent: 1 },
          { ...topk, latent: 64 },
        ],
      }),
    ).rejects.toThrow(/no latents beyond 63/);
    expect((await on.client.lists.list.query()).map(({ name }) => name)).not.toContain('half');
    expect(existsSync(on.store.database())).toBe(true);
  });
});
