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

// What fires on a text, and what the model says when the strongest feature of its last token is turned up.
const dictionary = { run: first.name, seed: first.seed };
const text = 'The whale swam away from the ship';
const read = await lazyscope.playground.features.query({ text, dictionaries: [dictionary] });
const strongest = read.dictionaries[0]?.strongest.at(-1)?.[0];
if (!strongest) throw new Error(`Nothing fires on the last token of “${text}”.`);
console.log(`latent ${strongest.latent} fires at ${strongest.activation.toFixed(2)}`);
const interventions = [{ latent: strongest.latent, kind: 'clamp' as const, value: 2 * strongest.activation }];
await new Promise<void>((resolve, reject) => {
  const said = ['', ''];
  lazyscope.playground.steer.subscribe(
    { prompt: text, dictionaries: [{ ...dictionary, interventions }], maxNewTokens: 12 },
    {
      // Row 0 is the model left alone, row 1 is steered.
      onData(event) {
        if (event.type === 'tokens') for (const token of event.tokens) said[token.row] += token.text;
        if (event.type === 'failed') reject(new Error(event.message));
        if (event.type === 'end') console.log(`without: ${said[0]}\nwith: ${said[1]}`);
      },
      onComplete: resolve,
      onError: reject,
    },
  );
});

// The feature gets a label and a star; all labels of the dictionary as a file.
const feature = { ...dictionary, latent: strongest.latent };
await lazyscope.labels.set.mutate({ ...feature, label: 'what the ship swims from' });
await lazyscope.lists.add.mutate({ name: 'starred', features: [feature] });
const file = await lazyscope.labels.export.query({ ...dictionary, format: 'csv' });
console.log(`${file.name} has ${file.labels} labels`);

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
