// @vitest-environment jsdom
/** Components on a real server over the fixture store: what they show is what its procedures answer. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query';
import { createTRPCClient, httpBatchLink } from '@trpc/client';
import type { ReactNode } from 'react';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { probesKind, type Probes } from '../../sae/spec/manifests/probes.ts';
import { writeManifest } from '../../sae/store/writeManifest.ts';
import type { AppRouter, Job } from '../../server/client.ts';
import { startTestServer, type TestServer } from '../../server/testServer.ts';
import { count, figures, percent, significant } from '../format/number.ts';
import { TRPCProvider, useTRPC } from '../client/trpc.ts';
import { sharedHeadlines } from './compare/sharedSummary.ts';
import { SharedMatrix } from './compare/SharedMatrix.tsx';
import { LabelEditor } from './features/LabelEditor.tsx';
import { JobCard } from './jobs/JobCard.tsx';
import { JobForm } from './jobs/JobForm.tsx';
import { TradeoffPanel } from './lazy/TradeoffPanel.tsx';
import { NextSteps } from './runs/NextSteps.tsx';
import { NormsPanel } from './runs/NormsPanel.tsx';
import { ProbesPanel } from './runs/ProbesPanel.tsx';
import { RunsTable } from './runs/RunsTable.tsx';
import { cellsOf, click, find, rendered, textsOf, type, until } from './testing/rendered.tsx';
import { LeftOutLine } from './ui/LeftOutLine.tsx';

let on: TestServer;
beforeAll(async () => {
  on = await startTestServer();
});
afterAll(() => on?.stop());
beforeEach(() => window.history.replaceState(null, '', '/'));

function served(element: ReactNode): Promise<HTMLElement> {
  const queryClient = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const trpcClient = createTRPCClient<AppRouter>({
    links: [httpBatchLink({ url: `${on.server.url}/trpc` })],
  });
  return rendered(
    <QueryClientProvider client={queryClient}>
      <TRPCProvider trpcClient={trpcClient} queryClient={queryClient}>
        {element}
      </TRPCProvider>
    </QueryClientProvider>,
  );
}

describe('ProbesPanel', () => {
  const run = () => on.client.runs.get.query({ name: 'fixture-topk' });

  test('says how a run is probed, and shows what was measured beside its interval and chance', async () => {
    expect((await served(<ProbesPanel detail={await run()} />)).textContent).toContain(
      'npx lazyscope probe fixture-topk',
    );
    const seed = 1;
    const byK = {
      k: 2,
      accuracy: 0.9,
      interval: [0.8, 0.95],
      coordinates: 0.7,
      randomLatents: 0.55,
      shuffledLabels: 0.5,
    };
    const probes: Probes = {
      version: 1,
      run: 'fixture-topk',
      seed,
      classification: {
        text: 'reviews.jsonl',
        labelField: 'stars',
        classes: ['1', '5'],
        trainDocuments: 80,
        testDocuments: 20,
        contextLength: 128,
        sparseProbing: {
          byK: [{ ...byK, interval: [0.8, 0.95] }],
          allCoordinates: 0.97,
          allCoordinatesInterval: [0.9, 0.99],
          classes: [{ name: '1', allCoordinates: 0.97, byK: [{ k: 2, latents: [3, 1], accuracy: 0.9 }] }],
        },
        perturbation: [
          { n: 10, tpp: 0.31, interval: [0.2, 0.4], intended: 0.33, unintended: 0.02, random: 0.01 },
        ],
      },
      spurious: {
        text: 'bios.jsonl',
        labelField: 'profession',
        spuriousField: 'gender',
        firstValues: ['nurse', 'professor'],
        secondValues: ['female', 'male'],
        trainDocuments: 40,
        testDocuments: 10,
        contextLength: 128,
        first: { oracle: 0.9, biased: 0.6, byN: [{ n: 10, scr: 0.42, interval: [0.1, 0.7], random: 0.03 }] },
        second: { oracle: 0.95, biased: 0.9, byN: [{ n: 10, scr: 0, interval: [0, 0], random: 0 }] },
        counts: 'first',
      },
      absorption: {
        trainWords: 800,
        testWords: 200,
        letters: [],
        counted: 17,
        fraction: 0.28,
        fractionInterval: [0.25, 0.31],
        full: 0.05,
        fullInterval: [0.03, 0.07],
        latentsPerLetter: 1.7,
        chanceFraction: 0.02,
        chanceFull: 0.01,
      },
    };
    await writeManifest(on.store.probes('fixture-topk', seed), probesKind, probes);
    const place = await served(<ProbesPanel detail={await run()} />);
    expect(place.textContent).toContain('reviews.jsonl by stars: 2 classes with 80 documents');
    const [sparse, perturbation, removal, absorption] = [...place.querySelectorAll('table')].map((table) =>
      [...table.querySelectorAll('tbody td')].map((cell) => cell.textContent),
    );
    expect(sparse).toEqual(
      ['1', '2', `90.0 %80.0 % to 95.0 %`, '55.0 %', '50.0 %', '70.0 %', '97.0 %'].map((_, i) => sparse[i]),
    );
    expect(sparse[2]).toContain(percent(0.8));
    expect(sparse[3]).toBe(percent(0.55));
    expect(sparse[6]).toBe(percent(0.97));
    expect(perturbation.slice(0, 2)).toEqual(['1', '10']);
    expect(perturbation[2]).toContain('0.31');
    expect(place.textContent).toContain('bios.jsonl: a probe that learnt profession and gender together');
    expect(removal.slice(0, 3)).toEqual(['1', 'gender (counts)', '10']);
    expect(removal[3]).toContain('0.42');
    expect(removal.slice(7, 10)).toEqual(['1', 'profession', '10']);
    expect(absorption[1]).toBe('17');
    expect(absorption[3]).toContain(percent(0.28));
    expect(absorption[4]).toBe(percent(0.02));
    await rm(on.store.probes('fixture-topk', seed));
  });

  test('is not there for crosscoders, which the command refuses', async () => {
    const detail = await run();
    const config = {
      ...detail.manifest.config,
      hook: 'blocks.0.hook_resid_post,blocks.1.hook_resid_post' as const,
    };
    const place = await served(
      <ProbesPanel detail={{ ...detail, manifest: { ...detail.manifest, config } }} />,
    );
    expect(place.textContent).toBe('');
  });
});

describe('JobForm', () => {
  const started: string[] = [];
  const form = (kind: Parameters<typeof JobForm>[0]['kind'], initial: Record<string, string> = {}) =>
    served(<JobForm kind={kind} initial={initial} started={(id) => started.push(id)} />);
  const field = <Kind extends HTMLElement = HTMLInputElement>(place: HTMLElement, name: string) =>
    find<Kind>(place, `[name="${name}"]`);
  const submit = (place: HTMLElement) => click(find(place, 'button[type=submit]'));

  test('offers what the store has, and takes the only capture by itself', async () => {
    const place = await form('train');
    const capture = field<HTMLSelectElement>(place, 'capture');
    await until(() => capture.value === 'fixture');
    expect([...capture.options].map(({ value }) => value)).toEqual(['', 'fixture']);
    expect(capture.getAttribute('aria-required')).toBe('true');
  });

  test('offers the texts of the package and those that were fetched, and no path passes for one', async () => {
    await mkdir(on.store.dataset('tales'), { recursive: true });
    await writeFile(join(on.store.dataset('tales'), 'tales.txt'), 'Once upon a time.');
    const place = await form('capture');
    const text = field<HTMLSelectElement>(place, 'text');
    await until(() => text.options.length > 1);
    expect([...text.options].map(({ value, textContent }) => [value, textContent])).toEqual([
      ['', 'choose…'],
      ['dataset:moby-dick', 'Moby-Dick'],
      ['dataset:sotu', 'State of the Union addresses'],
      ['dataset:tales', 'tales (fetched)'],
    ]);
    const hooks = ['blocks.0.hook_resid_post'];
    for (const path of ['/etc/passwd', 'dataset:../tales', 'dataset:', 'tales'])
      await expect(
        on.client.jobs.start.mutate({
          kind: 'capture',
          options: { model: 'fixture-relu', text: path, hooks },
        }),
      ).rejects.toMatchObject({ data: { httpStatus: 400 } });
  });

  test('says in an empty field what happens by default', async () => {
    const capture = await form('capture');
    expect(field(capture, 'contextLength').placeholder).toBe('128');
    const train = await form('train', { architecture: 'relu' });
    expect(field(train, 'sparsityCoefficient').placeholder).toBe('0.8');
  });

  test('shows a setting only with the architecture that has it', async () => {
    const place = await form('train', { architecture: 'topk' });
    const has = (name: string) => place.querySelector(`[name="${name}"]`) !== null;
    expect([has('k'), has('sparsityCoefficient')]).toEqual([true, false]);
    await type(field(place, 'architecture'), 'relu');
    expect([has('k'), has('sparsityCoefficient')]).toEqual([false, true]);
  });

  test('says at the field what is wrong with it, goes there, and starts nothing', async () => {
    const place = await form('train', { architecture: 'topk', width: 'many' });
    await until(() => field<HTMLSelectElement>(place, 'capture').value === 'fixture');
    await submit(place);
    const width = field(place, 'width');
    expect(width.getAttribute('aria-invalid')).toBe('true');
    const [said] = (width.getAttribute('aria-describedby') ?? '').split(' ');
    expect(document.getElementById(said)?.textContent).toMatch(/whole number/);
    expect(document.activeElement).toBe(width);
    await type(width, '64');
    expect(width.getAttribute('aria-invalid')).toBe(null);
    expect(await on.client.jobs.list.query()).toEqual([]);
  });

  test('asks the server for what was typed, and for nothing that was left alone', async () => {
    const place = await form('evaluate', { seeds: '0, 1', maxTokens: '1,024' });
    await until(() => field<HTMLSelectElement>(place, 'run').options.length === 3);
    await type(field(place, 'run'), 'fixture-topk');
    await submit(place);
    await until(() => find(place, '[role=status]').textContent === 'Started.');
    const [job] = await on.client.jobs.list.query();
    expect(job).toMatchObject({ id: started[0], kind: 'evaluate' });
    expect(job.command.replace(/^.*? evaluate/, 'evaluate')).toContain(
      'evaluate fixture-topk --seeds=0,1 --max-tokens=1024',
    );
    await on.client.jobs.cancel.mutate({ id: job.id });
  });
});

describe('a run that lacks something', () => {
  const buttons = (place: HTMLElement) => textsOf(place, 'button');
  const run = () => on.client.runs.get.query({ name: 'fixture-topk' });

  test('that has everything offers nothing', async () => {
    expect((await served(<NextSteps detail={await run()} />)).textContent).toBe('');
  });

  test('offers what its seeds lack, starts it, and leads to the job', async () => {
    const detail = await run();
    const [first, ...others] = detail.seeds;
    const seeds = [{ ...first, evaluation: null }, ...others.map((seed) => ({ ...seed, indexed: false }))];
    const place = await served(<NextSteps detail={{ ...detail, seeds }} />);
    expect(buttons(place)).toEqual([
      'Evaluate, index and compare',
      'Evaluate seed 0',
      'Index the features of seeds 1, 2',
    ]);
    await click(find(place, 'button + button'));
    await until(() => place.querySelector('a') !== null);
    const [job] = await on.client.jobs.list.query();
    expect(job).toMatchObject({ kind: 'evaluate', options: { run: 'fixture-topk', seeds: [0] } });
    expect(find<HTMLAnchorElement>(place, 'a').getAttribute('href')).toBe(`/jobs?job=${job.id}`);
    await on.client.jobs.cancel.mutate({ id: job.id });
  });

  test('that was interrupted goes on under its own name', async () => {
    const detail = await run();
    const manifest = { ...detail.manifest, status: 'interrupted' as const, step: 50, totalSteps: 200 };
    const place = await served(<NextSteps detail={{ ...detail, manifest }} />);
    expect(place.textContent).toContain('Interrupted at 25 %');
    expect(place.textContent).toContain('npx lazyscope train --resume --name fixture-topk');
    expect(buttons(place)).toContain('Resume it here');
  });
});

describe('NormsPanel', () => {
  const run = async () => on.client.runs.get.query({ name: 'fixture-topk' });

  test('says how many rows are long, what share of the variance they hold, and how norms are distributed', async () => {
    const detail = await run();
    const { capture, hook } = detail.manifest.config;
    const { report, rows } = await on.client.captures.norms.query({ name: capture, hook });
    const place = await served(
      <NormsPanel
        detail={{ ...detail, manifest: { ...detail.manifest, exclusion: { rule: 'norm:10', rows: 3 } } }}
      />,
    );
    await until(() => place.querySelector('dl') !== null);
    expect(place.textContent).toContain('trained without 3 of them (norm:10)');
    expect(textsOf(place, 'dl > div').at(0)).toContain(significant(report!.median));
    expect(textsOf(place, 'dl > div').at(2)).toContain(`of ${count(rows)}`);
    expect(cellsOf(place)).toEqual(
      [...report!.quantiles!, { share: 1, norm: report!.largest }].map(({ share, norm }) => [
        share === 0.999 ? '99.9 %' : `${Math.round(100 * share)} %`,
        significant(norm),
        figures(norm / report!.median),
      ]),
    );
    expect(textsOf(place, 'tbody tr')).toHaveLength(9);
  });

  test('has a panel for each hook point of a crosscoder', async () => {
    const detail = await run();
    const { hook } = detail.manifest.config;
    const config = { ...detail.manifest.config, hook: `${hook},blocks.7.hook_mlp_out` as const };
    const place = await served(
      <NormsPanel detail={{ ...detail, manifest: { ...detail.manifest, config } }} />,
    );
    expect(textsOf(place, 'h2')).toEqual([
      `How long the activations are at ${hook}`,
      'How long the activations are at blocks.7.hook_mlp_out',
    ]);
    // The fixture's capture has the first alone.
    await until(() => place.querySelector('dl') !== null);
    await until(() => place.textContent?.includes("has no hook point 'blocks.7.hook_mlp_out'") === true);
  });

  test('says so where the capture is gone', async () => {
    const detail = await run();
    const config = { ...detail.manifest.config, capture: 'gone' };
    const place = await served(
      <NormsPanel detail={{ ...detail, manifest: { ...detail.manifest, config } }} />,
    );
    await until(() => place.textContent?.includes("There is no capture 'gone'") === true);
  });
});

test.each([
  ['capture', 'text', '/jobs?start=train&capture=text'],
  ['run', 'fixture-topk', '/runs/fixture-topk'],
  ['comparison', 'a-b', '/compare/a-b'],
  ['sparsityReport', 'gelu', '/lazy?reports=gelu'],
] as const)('JobCard of a finished job leads to its %s', async (what, name, href) => {
  const job: Job = {
    id: 'x',
    kind: 'evaluate',
    options: { run: 'a' },
    subject: { what, name },
    command: '',
    status: 'done',
    createdAt: new Date().toISOString(),
    startedAt: null,
    finishedAt: null,
    exitCode: 0,
    progress: null,
    error: null,
  };
  const card = (shown: Job) => <JobCard job={shown} lines={[]} open={false} toggle={() => {}} />;
  const place = await served(card(job));
  await until(() => place.querySelector('a') !== null);
  expect(find(place, 'a').getAttribute('href')).toBe(href);
  expect(find(place, 'a').textContent).toBe(name);
  const running = await served(card({ ...job, status: 'running' }));
  // The page of a run shows its progress; there is nothing to see of the others yet.
  expect(running.querySelector('a')?.textContent).toBe(what === 'run' ? name : undefined);
  expect(running.textContent).toContain(name);
});

test('JobCard of a failed job leads to its run where there is one', async () => {
  const failed = (name: string): Job => ({
    id: 'x',
    kind: 'evaluate',
    options: { run: name },
    subject: { what: 'run', name },
    command: '',
    status: 'failed',
    createdAt: new Date().toISOString(),
    startedAt: null,
    finishedAt: null,
    exitCode: 2,
    progress: null,
    error: 'It failed.',
  });
  const place = await served(
    <>
      <JobCard job={failed('fixture-topk')} lines={[]} open={false} toggle={() => {}} />
      <JobCard job={failed('nothing')} lines={[]} open={false} toggle={() => {}} />
    </>,
  );
  await until(() => place.querySelector('a') !== null);
  expect(textsOf(place, 'a')).toEqual(['fixture-topk']);
  expect(place.textContent).toContain('nothing');
});

test('LabelEditor saves a label, and removes it when it is emptied', async () => {
  const at = { run: 'fixture-topk', seed: 0, latent: 3 };
  function Page() {
    const feature = useQuery(useTRPC().features.get.queryOptions(at));
    return feature.data ? <LabelEditor feature={feature.data} /> : null;
  }
  const place = await served(<Page />);
  await until(() => place.querySelector('form') !== null);
  const save = find<HTMLButtonElement>(place, 'button[type=submit]');
  const says = (text: string) => until(() => find(place, '[role=status]').textContent === text);
  expect(save.disabled).toBe(true);
  await type(find(place, 'input'), '  whales ');
  expect(save.disabled).toBe(false);
  await click(save);
  await says('Saved.');
  const labels = await on.client.labels.list.query({ run: at.run });
  expect(labels).toMatchObject([{ ...at, label: 'whales', note: '' }]);
  expect(save.disabled).toBe(true);

  await type(find(place, 'input'), '');
  await click(save);
  await says('Removed.');
  expect(await on.client.labels.list.query({ run: at.run })).toEqual([]);
});

test('SharedMatrix has each pair’s share on both sides of its diagonal, as a link', async () => {
  const comparisons = await on.client.comparisons.list.query();
  const [headline] = sharedHeadlines(comparisons);
  const place = await served(<SharedMatrix headline={headline} />);
  const cells = cellsOf(place);
  expect(cells).toHaveLength(3);
  for (const { a, b, shared, name } of comparisons.filter(({ a: { run } }) => run === headline.run)) {
    expect([cells[a.seed][b.seed], cells[b.seed][a.seed]]).toEqual([percent(shared), percent(shared)]);
    expect(place.querySelectorAll(`a[href="/compare/${encodeURIComponent(name)}"]`)).toHaveLength(2);
  }
  expect(cells.map((row, seed) => row[seed])).toEqual(['·', '·', '·']);
  const without = { ...headline, pairs: headline.pairs.slice(1) };
  const [row, column] = headline.pairs[0].seeds;
  expect(cellsOf(await served(<SharedMatrix headline={without} />))[row][column]).toBe('–');
});

test('RunsTable has a row a dictionary, in the order asked for, with a dash for what was not measured', async () => {
  const runs = await on.client.runs.list.query();
  const asked: [string, string][] = [];
  const place = await served(
    <RunsTable
      runs={runs.map((run, at) => (at === 0 ? { ...run, ceRecovered: null, fvu: null } : run))}
      sort="fvu"
      order="asc"
      change={(sort, order) => asked.push([sort, order])}
    />,
  );
  const names = cellsOf(place).map(([name, seed]) => `${name}/${seed}`);
  const byFvu = runs.slice(1).toSorted((x, y) => x.fvu! - y.fvu! || x.seed - y.seed);
  expect(names).toEqual([...byFvu, runs[0]].map(({ name, seed }) => `${name}/${seed}`));
  expect(
    cellsOf(place)
      .at(-1)
      ?.filter((text) => text === '–'),
  ).toHaveLength(2);
  await click(find(place, 'button[aria-label="Sort by ce recovered, largest first"]'));
  expect(asked).toEqual([['ceRecovered', 'desc']]);
});

test('TradeoffPanel’s legend names every method that was measured, and one rule for all models', async () => {
  const rows = await on.client.sparsity.list.query();
  const reports = await Promise.all(rows.map(({ name }) => on.client.sparsity.get.query({ name })));
  const place = await served(
    <TradeoffPanel reports={reports} colours={Object.fromEntries(rows.map(({ name }) => [name, 'red']))} />,
  );
  const measured = reports.flatMap(({ report }) => (report.interventions ? [report] : []));
  const methods = new Set(
    measured[0]
      .interventions!.tradeoff.filter(({ method }) => method !== 'none')
      .map(({ method, rank }) => `${method} ${rank}`),
  );
  expect(textsOf(place, 'figure li')).toHaveLength(methods.size);
  expect(textsOf(place, 'figure li')).toContain('R-Sparse, rank 8');
  expect(textsOf(place, 'table tbody tr')).toHaveLength(
    measured.reduce((sum, { interventions }) => sum + interventions!.pplP.length, 0),
  );
  const models = [...place.querySelectorAll('label')].find(
    ({ textContent }) => textContent === 'CETT, all models',
  );
  if (measured.length > 1) {
    await click(find(models!, 'input'));
    expect(textsOf(place, 'figure li')).toEqual(measured.map(({ name }) => name));
  } else expect(models).toBe(undefined);
});

test('LeftOutLine says nothing of a whole store, and how many items a damaged one lacks', async () => {
  const whole = await served(<LeftOutLine of={['runs', 'comparisons']} />);
  await until(() => true);
  expect(whole.textContent).toBe('');
  await writeFile(on.store.runManifest('fixture-relu'), '{');
  const damaged = await served(<LeftOutLine of={['runs', 'comparisons']} />);
  await until(() => damaged.textContent !== '');
  expect(damaged.textContent).toBe('1 damaged item left out');
});
