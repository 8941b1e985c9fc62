/**
 * The typed client: what a running server has, and a job on it. Start a server on the data of a demo, then run it:
 *
 *     npx lazyscope serve
 *     npx tsx client.ts http://127.0.0.1:4321
 */
import { createLazyscopeClient } from 'lazyscope/client';

const [url = 'http://127.0.0.1:4321'] = process.argv.slice(2);
const lazyscope = createLazyscopeClient({ url });

const runs = await lazyscope.runs.list.query();
for (const { name, seed, architecture, l0, fvu } of runs)
  console.log(`${name}/${seed}: ${architecture}, L0 ${l0?.toFixed(1)}, FVU ${fvu?.toFixed(3)}`);

// The features of one dictionary, a page at a time.
const [first] = runs;
if (!first) throw new Error('There is no dictionary yet: run `npx lazyscope demo` first.');
const page = await lazyscope.features.list.query({ run: first.name, seed: first.seed });
console.log(`${page.total} features in ${first.name}/${first.seed}`);
for (const { latent, promoted } of page.rows.slice(0, 5))
  console.log(latent, promoted.map(({ text }) => text).join(' '));

// A job is a command that the server runs; watching it ends when it has finished.
const job = await lazyscope.jobs.start.mutate({
  kind: 'train',
  options: { name: 'from-the-client', architecture: 'topk', capture: 'demo', seeds: [7], tokens: 20_000 },
});
await new Promise<void>((resolve, reject) => {
  const watching = lazyscope.jobs.watch.subscribe(job, {
    onData({ data: { job } }) {
      if (!job.finishedAt) return;
      watching.unsubscribe();
      console.log(`job ${job.status}`);
      if (job.status === 'done') resolve();
      else reject(new Error(job.error ?? job.status));
    },
    onError: reject,
  });
});
