/**
 * Forward passes of one language model here and in PyTorch, in turn in one run, on the same tokens.
 *
 *     npx tsx scripts/bench/forwardBesidePyTorch.ts --model FILE.gguf --python ../peers/bin/python
 *
 * The Python is one with scripts/peers/requirements.txt installed. Both sides run the same passes: to the residual stream
 * after a middle block, and to the logits of every position. Results are compared before anything is timed. A ratio is of
 * one round's processor seconds, which say the same on a busy machine as on a quiet one; those of the wall clock don't.
 */
import { spawn } from 'node:child_process';
import { loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startBackend } from '../../sae/backends/startBackend.ts';
import { blockHook } from '../../sae/models/hookPoints.ts';
import type { LanguageModel } from '../../sae/models/languageModel.ts';
import { loadLanguageModel } from '../../sae/models/loadLanguageModel.ts';
import { Random } from '../../sae/numerics/random.ts';
import { tf } from '../../sae/tensor/tf.ts';

const peer = join(dirname(fileURLToPath(import.meta.url)), '..', 'peers', 'languageModelPasses.py');

interface Pass {
  tokens: number[][];
  /** Blocks to run; null for the whole model. */
  layers: number | null;
}

interface Timed {
  cpuSeconds: number;
  seconds: number;
  /** The last position's row. */
  last: number[];
}

interface Greeting {
  versions: Record<string, string>;
  /** The vectors PyTorch's own kernels use; its matrix products are MKL's. */
  capability: string;
}

const { values: given } = parseArgs({
  options: {
    model: { type: 'string' },
    python: { type: 'string', default: process.env['LAZYSCOPE_PEERS_PYTHON'] },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    shapes: { type: 'string', default: '16x128,8x256,4x512' },
    variants: { type: 'string', default: 'sdpa,eager' },
    layers: { type: 'string' },
  },
});

async function main(): Promise<void> {
  const { model: path, python } = given;
  if (!path || !python) throw new Error('--model and --python are needed');
  const threads = Number(given.threads);
  await startBackend('native', { threads });
  const model = await loadLanguageModel(path);
  const depths = given.layers ? [Number(given.layers)] : [Math.floor(model.config.layers / 2), null];
  const shapes = given.shapes.split(',').map((shape) => shape.split('x').map(Number));
  const variants = given.variants.split(',');
  const pytorch = await startPyTorch(python, path, threads);
  const results: object[] = [];
  try {
    for (const layers of depths)
      for (const [batch, seq] of shapes) {
        const pass = { tokens: randomTokens(model, batch, seq), layers };
        const sides = new Map<string, (pass: Pass) => Promise<Timed>>([
          ['Lazyscope', async () => ourPass(model, pass)],
          ...variants.map((name): [string, () => Promise<Timed>] => [name, () => pytorch.run(name, pass)]),
        ]);
        results.push({ layers: layers ?? 'all', batch, seq, ...(await compared(sides, pass)) });
      }
  } finally {
    pytorch.end();
  }
  const document = { threads, ...pytorch.greeting, load: loadavg()[0], results };
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

/** Medians over rounds, after one that warms up and is checked. */
async function compared(sides: Map<string, (pass: Pass) => Promise<Timed>>, pass: Pass) {
  const positions = pass.tokens.length * pass.tokens[0].length;
  let reference: number[] | undefined;
  for (const [name, run] of sides) {
    const { last } = await run(pass);
    reference ??= last;
    checkAgreement(name, last, reference);
  }
  const times = new Map([...sides.keys()].map((name) => [name, [] as Timed[]]));
  for (let round = 0; round < Number(given.rounds); round++) {
    const order = round % 2 === 0 ? [...sides] : [...sides].reverse();
    for (const [name, run] of order) times.get(name)!.push(await run(pass));
  }
  const ours = times.get('Lazyscope')!;
  return Object.fromEntries(
    [...times].map(([name, passes]) => [
      name,
      {
        tokensPerCpuSecond: Math.round(positions / median(passes.map(({ cpuSeconds }) => cpuSeconds))),
        tokensPerSecond: Math.round(positions / median(passes.map(({ seconds }) => seconds))),
        ...(name !== 'Lazyscope' && {
          cpuRatios: spread(passes.map(({ cpuSeconds }, i) => cpuSeconds / ours[i].cpuSeconds)),
          wallRatios: spread(passes.map(({ seconds }, i) => seconds / ours[i].seconds)),
        }),
      },
    ]),
  );
}

function ourPass(model: LanguageModel, { tokens, layers }: Pass): Timed {
  const input = tf.tensor2d(tokens, undefined, 'int32');
  const before = process.cpuUsage();
  const started = performance.now();
  const hook = layers === null ? undefined : blockHook(layers - 1, 'hook_resid_post');
  const { logits, activations } = model.forward(input, hook ? { read: [hook], readOnly: true } : {});
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  const rows = hook ? activations.get(hook) : logits;
  if (!rows) throw new Error('the pass gave nothing');
  const [batch, seq] = rows.shape;
  const last = tf.tidy(() => [...rows.slice([batch - 1, seq - 1, 0], [1, 1, -1]).dataSync()]);
  tf.dispose([input, rows]);
  return { cpuSeconds: (user + system) / 1e6, seconds, last };
}

/** Throws unless the rows agree to what float32 sums in another order may differ by. */
function checkAgreement(name: string, row: number[], reference: number[]): void {
  const size = Math.hypot(...reference);
  const off = Math.hypot(...row.map((value, i) => value - reference[i]));
  if (!(off <= 1e-4 * size))
    throw new Error(`${name} computes something else: relative difference ${off / size}`);
}

async function startPyTorch(python: string, model: string, threads: number) {
  // Variables that a person has set for other programs must not decide which kernels a library runs here.
  const { OPENBLAS_CORETYPE: _core, OPENBLAS_L2_SIZE: _cache, ...environment } = process.env;
  const child = spawn(python, [peer, '--model', model, '--threads', String(threads)], {
    env: { ...environment, HF_HUB_OFFLINE: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async <Answer>(): Promise<Answer> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error('PyTorch ended without an answer');
      // Some Python packages print greetings on standard output.
      if (value.startsWith('{')) return JSON.parse(value);
    }
  };
  return {
    greeting: await answer<Greeting>(),
    run: (variant: string, pass: Pass): Promise<Timed> => {
      child.stdin.write(`${JSON.stringify({ variant, ...pass })}\n`);
      return answer<Timed>();
    },
    end: () => child.stdin.end(),
  };
}

function randomTokens(model: LanguageModel, batch: number, seq: number): number[][] {
  const random = Random.fromSeed(0, 'forwardBesidePyTorch');
  const vocabulary = Math.min(model.config.vocabularySize, model.tokenizer.vocabularySize);
  return Array.from({ length: batch }, () => Array.from({ length: seq }, () => random.below(vocabulary)));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

function spread(values: readonly number[]) {
  const [middle, least, greatest] = [median(values), Math.min(...values), Math.max(...values)];
  return {
    median: Number(middle.toFixed(2)),
    least: Number(least.toFixed(2)),
    greatest: Number(greatest.toFixed(2)),
  };
}

await main();
