/**
 * What dictionaries on an 8 B model need with this design, by formulas (needs.ts), a simulated queue (simulateQueue.ts) and rates that
 * were measured. Prints the tables of docs/SCALE.md:
 *
 *     npx tsx scripts/studies/scale/scale.ts
 */
import { type Device, needsOf, type Plan, receivedPerStep, spreadStepSeconds } from './needs.ts';
import { simulateQueue } from './simulateQueue.ts';

/** The plan of the question: a model such as Llama 3.1 8B, all layers, five seeds, two billion tokens. */
export const plan: Plan = {
  parameters: 8e9,
  layers: 32,
  d: 4096,
  latents: 131_072,
  k: 64,
  seeds: 5,
  tokens: 2e9,
  batch: 8192,
};

/**
 * An H200 as docs/GPU.md has it: a step of this very size, and a language model of 67 M parameters that reads 692,000 tokens a second
 * with tf32 products, at two operations a parameter and token.
 */
export const device: Device = { stepSeconds: 40.3e-3, forwardRate: 692e3 * 2 * 67.1e6, bytes: 139 * 2 ** 30 };

/** Assumptions, not measurements. */
const assumed = {
  dollarsAnHour: 3,
  betweenFailures: 5000 * 3600,
  repair: 3600,
  noticed: 60,
  diskBytesASecond: 1e9,
};

const hour = 3600;
const whole = (value: number) => Math.round(value).toLocaleString('en-US');
const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

export function needsTable(): string {
  const needs = needsOf(plan, device);
  const { layers, seeds } = plan;
  const dictionaries = layers * seeds;
  const forward = needs.forwardSeconds(layers);
  return table(
    ['what', 'one', 'all'],
    [
      ['activations of a layer in 16 bits', `${(needs.captureBytes / 1e12).toFixed(1)} TB`, `${whole((needs.captureBytes * layers) / 1e12)} TB`],
      ['a dictionary in training (parameters, moments, 16-bit copies)', `${(needs.dictionaryBytes / 1e9).toFixed(1)} GB`, `${((needs.dictionaryBytes * dictionaries) / 1e12).toFixed(1)} TB`],
      ['its checkpoint', `${(needs.checkpointBytes / 1e9).toFixed(1)} GB`, `${((needs.checkpointBytes * dictionaries) / 1e12).toFixed(1)} TB`],
      ['dictionaries that fit a device beside the model', needs.dictionariesADevice, ''],
      ['operations of the encoders', (needs.encoderOperations / dictionaries).toExponential(1), needs.encoderOperations.toExponential(1)],
      ['operations of the language model, all tokens, all layers', needs.forwardOperations.toExponential(1), ''],
      ['hours of a device: training', (needs.trainSeconds / hour).toFixed(2), whole((needs.trainSeconds * dictionaries) / hour)],
      ['hours of a device: the model once, all layers', (forward / hour).toFixed(1), ''],
    ],
  ); // prettier-ignore
}

type Split = 'layer' | 'layer and seed';

/** Jobs that read the model's activations as they train: each runs the model up to its layer. */
function jobsBy(split: Split) {
  const needs = needsOf(plan, device);
  return Array.from({ length: plan.layers }, (_, l) => {
    const forward = needs.forwardSeconds(l + 1);
    return split === 'layer'
      ? [{ seconds: forward + plan.seeds * needs.trainSeconds }]
      : Array.from({ length: plan.seeds }, () => ({ seconds: forward + needs.trainSeconds }));
  })
    .flat()
    .sort((a, b) => b.seconds - a.seconds);
}

export function queueTable(): string {
  const { checkpointBytes } = needsOf(plan, device);
  const rows = (['layer', 'layer and seed'] as const).flatMap((split) =>
    [1, 8, 64, 512].map((devices) => {
      const jobs = jobsBy(split);
      const dictionaries = split === 'layer' ? plan.seeds : 1;
      const { makespan, busy, failures, lost } = simulateQueue(jobs, {
        devices,
        betweenFailures: assumed.betweenFailures,
        repair: assumed.repair,
        checkpointEvery: 1800,
        checkpointSeconds: (dictionaries * checkpointBytes) / assumed.diskBytesASecond,
        noticed: assumed.noticed,
        seed: 1,
      });
      const paid = (makespan * devices) / hour;
      return [split, jobs.length, devices, whole(makespan / hour), `${(100 * busy).toFixed(0)} %`, failures, (lost / hour).toFixed(1), whole(paid), `$${whole(paid * assumed.dollarsAnHour)}`];
    }),
  ); // prettier-ignore
  return table(['jobs by', 'jobs', 'devices', 'hours', 'busy', 'failures', 'hours lost', 'hours paid', 'at $3 an hour'], rows); // prettier-ignore
}

export function spreadTable(): string {
  const links = [
    ['400 GB/s (NVLink)', 400e9, 10e-6],
    ['50 GB/s (400 Gbit/s network)', 50e9, 20e-6],
    ['10 GB/s (processes of one machine)', 10e9, 5e-6],
  ] as const;
  const ranks = [1, 2, 4, 8, 16, 32];
  const rows = links.map(([name, bytesASecond, latency]) => [
    name,
    ...ranks.map((count) => {
      const { stepSeconds } = device;
      const seconds = spreadStepSeconds(plan, count, { stepSeconds, bytesASecond, latency });
      return `${(seconds * 1000).toFixed(1)} ms (${(stepSeconds / seconds).toFixed(1)} ×)`;
    }),
  ]);
  const received = [
    'received a step',
    ...ranks.map((count) => `${whole(receivedPerStep(plan, count) / 1e6)} MB`),
  ];
  return table(['', ...ranks.map((count) => `${count} devices`)], [received, ...rows]);
}

if (process.argv[1] === import.meta.filename)
  console.log([needsTable(), queueTable(), spreadTable()].join('\n\n'));
