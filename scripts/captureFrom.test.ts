/** `lazyscope capture --from` as a person meets it: activations of another program, and all that follows without a language model. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSafetensors } from '../sae/formats/safetensors.ts';
import { Random } from '../sae/numerics/random.ts';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

let data: string;
beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), 'capture-from-command-'));
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

const fixture = (name: string) => join(import.meta.dirname, '../sae/formats/fixtures/activations', name);
const hook = 'blocks.1.hook_resid_post';

function lazyscope(args: string[], input?: Buffer) {
  const program = join(import.meta.dirname, 'lazyscope.mjs');
  const given = [program, ...args, '--data', data];
  const options = { encoding: 'utf8', timeout: 170_000, ...(input && { input }) } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, given, options);
  return { status, stdout, stderr };
}
function done(args: string[], input?: Buffer) {
  const { status, stdout, stderr } = lazyscope(args, input);
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

test('a folder of SAELens is trained on, evaluated, indexed and compared without the model', () => {
  const captured = done([
    'capture',
    `--from=${fixture('saelens')}`,
    `--hook=${hook}`,
    '--name=cached',
    '--held-out=0.3',
  ]);
  expect(captured).toMatch(/Captured 120 rows of saelens .* in contexts of 6 \(30.0 % held out\)/);
  expect(captured).toContain('Without language model: figures that need it will be left out.');
  done(['train', '--capture=cached', '--architecture=topk', '--k=2', '--width=16', '--seeds=0,1', '--tokens=4000', '--name=run']); // prettier-ignore
  const { evaluations } = JSON.parse(done(['evaluate', 'run', '--json']));
  expect(evaluations).toHaveLength(2);
  for (const evaluation of evaluations) {
    expect(evaluation).toMatchObject({ tokens: 36, l0: 2, ceRecovered: null, crossEntropy: null });
    expect(evaluation.fvu).toBeGreaterThan(0);
    expect(evaluation.fvu).toBeLessThan(1);
  }
  expect(done(['evaluate', 'run'])).toMatch(/Left out for 'run': losses \(CE recovered, KL divergence\)/);
  expect(done(['index', 'run'])).toMatch(/Left out for 'run': effects on tokens, neurons/);
  expect(JSON.parse(done(['compare', 'run', '--json'])).comparisons).toHaveLength(1);
  const swap = lazyscope(['compare', 'run', '--swap']);
  expect(swap.status).toBe(2);
  expect(swap.stderr).toMatch(/--swap needs the language model/);
  const typed = lazyscope(['features', 'run/0', '--text=a whale']);
  expect(typed.status).toBe(2);
});

test('flags of a text are refused, and what is missing is named', () => {
  const refused = (said: RegExp, ...args: string[]) => {
    const { status, stderr } = lazyscope(['capture', `--hook=${hook}`, ...args]);
    expect(stderr).toMatch(said);
    expect(status).toBe(2);
  };
  const from = `--from=${fixture('rows.npy')}`;
  refused(/--bos has no effect with --from/, from, '--bos=nothing');
  refused(/--max-tokens has no effect with --from/, from, '--max-tokens=10');
  refused(/--column has no effect without --from/, '--column=x', '--model=m', '--text=t');
  refused(/give --model and --text, or activations/, '--model=m');
  refused(/can't be read/, '--from=nowhere.npy');
});

test('two hook points of one file make transcoders', async () => {
  const [hook, output] = ['blocks.0.hook_resid_mid', 'blocks.0.hook_mlp_out'];
  const random = Random.fromSeed(1, 'two hook points');
  const x = Float32Array.from({ length: 400 * 8 }, () => random.normal());
  const path = join(data, 'two.safetensors');
  await writeSafetensors(path, {
    [hook]: { shape: [400, 8], data: x },
    [output]: { shape: [400, 8], data: x.map((value) => Math.max(value, 0) - 1) },
  });
  done(['capture', `--from=${path}`, `--hook=${hook}`, `--hook=${output}`, '--name=two']);
  const given = ['--architecture=relu', '--width=32', '--tokens=40000', '--sparsity-coefficient=0.1'];
  done(['train', '--capture=two', `--hook=${hook}`, `--output-hook=${output}`, '--name=coder', ...given]);
  const [evaluation] = JSON.parse(done(['evaluate', 'coder', '--json'])).evaluations;
  expect(evaluation.fvu).toBeLessThan(0.5);
  expect(evaluation.crossEntropy).toBeNull();
  done(['index', 'coder']);
  done(['export', 'coder/0', `--to=${join(data, 'out')}`]);
  const imported = ['import', join(data, 'out'), '--capture=two'];
  done([...imported, '--name=back']);
  const [again] = JSON.parse(done(['evaluate', 'back', '--json'])).evaluations;
  expect(again.fvu).toBeCloseTo(evaluation.fvu, 6);
  expect(again.l0).toBeCloseTo(evaluation.l0, 6);
  const lost = lazyscope([...imported, '--name=lost', '--output-hook=blocks.0.hook_resid_post']);
  expect(lost.stderr).toMatch(/predicts 'blocks.0.hook_resid_post', which capture 'two' does not have/);
  const flat = lazyscope(['export', 'coder/0', `--to=${join(data, 'flat')}`, '--format=sparsify']);
  expect(flat.stderr).toMatch(/sparsify holds only topk/);
});

test('a skip transcoder of SAELens between two widths is imported, evaluated and indexed, and not compared', async () => {
  const [hook, output] = ['blocks.1.hook_resid_mid', 'blocks.1.hook_mlp_out'];
  const random = Random.fromSeed(2, 'two widths');
  const path = join(data, 'widths.safetensors');
  await writeSafetensors(path, {
    [hook]: { shape: [300, 6], data: Float32Array.from({ length: 300 * 6 }, () => random.normal()) },
    [output]: { shape: [300, 4], data: Float32Array.from({ length: 300 * 4 }, () => random.normal()) },
  });
  done(['capture', `--from=${path}`, `--hook=${hook}`, `--hook=${output}`, '--name=widths']);
  const file = join(import.meta.dirname, '../sae/formats/fixtures/packages/saelens-skip-transcoder');
  const said = done([
    'import',
    file,
    file,
    '--capture=widths',
    `--hook=${hook}`,
    '--any-model',
    '--name=skip',
    '--json',
  ]);
  expect(JSON.parse(said)).toMatchObject({ hook, outputHook: output, d: 6 });
  const evaluations = JSON.parse(done(['evaluate', 'skip', '--json'])).evaluations;
  expect(evaluations).toHaveLength(2);
  expect(evaluations[0].fvu).toBeGreaterThan(1);
  done(['index', 'skip']);
  expect(lazyscope(['compare', 'skip/0', 'skip/1']).stderr).toMatch(
    /reads activations of width 6 and predicts width 4/,
  );
  done(['export', 'skip/0', `--to=${join(data, 'skip-out')}`]);
  expect(readFileSync(join(data, 'skip-out', 'cfg.json'), 'utf8')).toMatch(/"skip_transcoder"/);
  const npz = lazyscope(['export', 'skip/0', `--to=${join(data, 'skip-npz')}`, '--format=gemma-scope']);
  expect(npz.stderr).toMatch(/no skip connection/);
});

const python = process.env['LAZYSCOPE_PEERS_PYTHON'];
const why =
  python === undefined ? ' (skipped: LAZYSCOPE_PEERS_PYTHON names no Python with torch and pyarrow)' : '';
test.skipIf(python === undefined)(`PyTorch streams to the capture through a pipe${why}`, () => {
  const script = join(import.meta.dirname, 'peers/streamActivations.py');
  const { stdout, status } = spawnSync(python ?? '', [script], { maxBuffer: 1 << 26 });
  expect(status).toBe(0);
  const document = JSON.parse(
    done(['capture', '--from=-', `--hook=${hook}`, '--name=piped', '--json'], stdout),
  );
  expect(document).toMatchObject({
    tokens: 4096,
    contextLength: 16,
    hasTokens: true,
    heldOutTokens: 25 * 16,
  });
  expect(document.hooks[0].width).toBe(32);
  const cut = lazyscope(['capture', '--from=-', `--hook=${hook}`, '--name=cut'], stdout.subarray(0, -8));
  expect(cut.stderr).toMatch(/its writer was not closed/);
});
