/** Workers in a browser: who is there, what each does, and a job in parts that they share. */
import { expect, test } from 'vitest';
import { hasRedis, startRedis, type RedisServer } from '../server/fixtures/redisServer.ts';
import { startWorker, type WorkerProcess } from '../scripts/workers/workerProcess.ts';
import { describeInBrowser, eventually } from './browserExplorer.ts';

let redis: RedisServer;
const workers: WorkerProcess[] = [];

if (!hasRedis) test.skip('workers in the explorer: SKIPPED, redis-server is not installed');
else
  describeInBrowser(
    'workers',
    (on) => {
      const panel = () => on.page.getByRole('region', { name: 'Workers' });
      const start = () => {
        const worker = startWorker([`--queue=${redis.address}`, `--data=${on.store.root}`, '--lease=2']);
        workers.push(worker);
        return worker;
      };

      test('the panel says how to start the first one', async () => {
        await on.visit.go('/jobs?start=capture');
        await eventually(() => panel().innerText()).toContain('None is there.');
        expect(await panel().innerText()).toContain('lazyscope worker --data');
        expect(await on.visit.lookAt('workers-none')).toEqual([]);
      });

      test('a job in parts is started from its form, and worker and parts say how far it is', async () => {
        const { page, visit, client } = on;
        const first = start();
        await eventually(() => panel().innerText()).toContain('1 takes jobs.');
        expect(await panel().innerText()).toContain(`/${first.child.pid}`);
        await visit.go(
          '/jobs?start=capture&model=fixture-relu&text=dataset:moby-dick&hooks=blocks.0.hook_resid_post&name=in-parts&maxTokens=400000&contextLength=32&shardBytes=200000',
        );
        const form = page.getByRole('form', { name: 'Capture activations' });
        await form.getByText('More settings').click();
        await form.getByLabel('Parts').fill('1');
        await form.getByRole('button', { name: 'Capture activations' }).click();
        await form.getByText(/^Parts .*2/).waitFor();
        await form.getByLabel('Parts').fill('3');
        await form.getByRole('button', { name: 'Capture activations' }).click();
        const card = page
          .getByRole('region', { name: 'Jobs', exact: true })
          .locator('li')
          .filter({ hasText: 'in-parts' })
          .first();
        await expect.poll(() => card.innerText(), { timeout: 60_000 }).toMatch(/of 4 parts/);
        await card.getByText('Parts', { exact: true }).click();
        await eventually(() => card.innerText()).toMatch(/\d\/3\s+running/);
        await eventually(() => panel().innerText()).toMatch(/works[\s\S]*Capture in-parts part \d\/3/);
        // While something is left to be done.
        await first.end('SIGKILL');
        expect(await card.innerText()).toMatch(/together\s+queued/);
        expect(await visit.lookAt('workers')).toEqual([]);
        await expect.poll(() => panel().innerText(), { timeout: 60_000 }).toMatch(/gone/);
        await card.getByRole('button', { name: /^Cancel/ }).click();
        await expect.poll(() => card.innerText(), { timeout: 60_000 }).toMatch(/cancelled/);
        const [job] = await client.jobs.list.query();
        expect(job).toMatchObject({ kind: 'capture', status: 'cancelled', subject: { name: 'in-parts' } });
        expect(visit.takeTroubles()).toEqual([]);
        await Promise.all(workers.map((worker) => worker.end('SIGKILL')));
        await redis.stop();
      });
    },
    {
      prepare: async () => {
        redis = await startRedis();
      },
      serving: () => ({ queue: { address: redis.address } }),
    },
  );
