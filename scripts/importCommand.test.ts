/** `lazyscope import` as a person meets it: what it explains, what it compares with the capture, and what comes after. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openCapture } from '../sae/activations/openCapture.ts';
import type { DictionaryWeights } from '../sae/formats/dictionaryWeights.ts';
import { exportDictionary, importDictionary } from '../sae/formats/importDictionary.ts';
import { writeSafetensors } from '../sae/formats/safetensors.ts';
import { randomRows } from '../sae/autoencoders/randomRows.ts';
import { Random } from '../sae/numerics/random.ts';
import { startTestServer, type TestServer } from '../server/testServer.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const hook = 'blocks.0.hook_resid_post';
let on: TestServer;
let d: number;
let model: string;

beforeAll(async () => {
  on = await startTestServer();
  const capture = await openCapture(on.store, 'fixture');
  d = capture.width(hook);
  model = capture.manifest.model.name;
  capture.close();
});
afterAll(() => on.stop());

function lazyscope(...args: string[]) {
  const program = join(import.meta.dirname, 'lazyscope.mjs');
  // `convert` has no store.
  const data = args[0] === 'convert' ? [] : ['--data', on.store.root];
  const given = [program, ...args, ...data];
  const { status, stdout, stderr } = spawnSync(process.execPath, given, {
    encoding: 'utf8',
    timeout: 170_000,
  });
  return { status, stdout, stderr };
}
const imported = (...args: string[]) => {
  const { status, stdout, stderr } = lazyscope('import', ...args, '--capture=fixture', '--json');
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  return { document: JSON.parse(stdout), stderr };
};
const refused = (said: RegExp, ...args: string[]) => {
  const { status, stderr } = lazyscope('import', ...args, '--capture=fixture', '--name=refused');
  expect(stderr).toMatch(said);
  expect(status).toBe(2);
  expect(existsSync(on.store.run('refused'))).toBe(false);
};

/** A rotation Q [d, d]: rows of unit norm at right angles. */
function rotation(): Float32Array {
  const random = Random.fromSeed(3);
  const rows: number[][] = [];
  while (rows.length < d) {
    const row = Array.from({ length: d }, () => random.normal());
    for (const other of rows) {
      const product = row.reduce((sum, value, i) => sum + value * other[i], 0);
      for (let i = 0; i < d; i++) row[i] -= product * other[i];
    }
    const norm = Math.hypot(...row);
    rows.push(row.map((value) => value / norm));
  }
  return Float32Array.from(rows.flat());
}

const transposedOf = (matrix: Float32Array) => matrix.map((_, i) => matrix[(i % d) * d + Math.floor(i / d)]);

/** As many latents as the activations are wide, all of which fire: x̂ = Qᵀ(Q·x + c) − c·Qᵀ1, which is x. */
function perfect(): DictionaryWeights {
  const q = rotation();
  const c = 100;
  const bDec = Float32Array.from({ length: d }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < d; i++) sum += q[i * d + j];
    return -c * sum;
  });
  const common = { architecture: 'relu', latents: d, d, threshold: null, k: null, hook, model } as const;
  return { ...common, wEnc: q, wDec: q, bEnc: new Float32Array(d), bDec };
}

test('a dictionary of zeros is imported, evaluated, and listed by the server', async () => {
  const folder = join(on.store.root, 'zeros');
  const zeros = { ...perfect(), architecture: 'jumprelu' as const, latents: 16 };
  await exportDictionary(folder, 'gemma-scope', {
    ...zeros,
    wEnc: new Float32Array(16 * d),
    wDec: new Float32Array(16 * d),
    bEnc: new Float32Array(16),
    bDec: new Float32Array(d),
    threshold: new Float32Array(16),
  });
  refused(/does not say where it was trained: give --hook/, folder);
  const { document, stderr } = imported(folder, `--hook=${hook}`, '--name=zeros');
  expect(document).toMatchObject({
    name: 'zeros',
    architecture: 'jumprelu',
    latents: 16,
    found: [{ l0: 0 }],
  });
  expect(stderr).toContain('no better than the mean activation');
  const evaluated = lazyscope('evaluate', 'zeros', '--json');
  expect(evaluated.status).toBe(0);
  expect(JSON.parse(evaluated.stdout).evaluations[0]).toMatchObject({
    l0: 0,
    deadFraction: 1,
    reconstructionBias: null,
  });
  const rows = await on.client.runs.list.query();
  expect(rows.find((row) => row.name === 'zeros')).toMatchObject({ l0: 0, deadFraction: 1 });
  expect(await on.client.runs.get.query({ name: 'zeros' })).toMatchObject({
    seeds: [{ evaluation: { reconstructionBias: null } }],
  });
});

test('the model and the hook that the file names are compared with the capture’s', async () => {
  const weights = perfect();
  const write = async (name: string, change: Partial<DictionaryWeights>) => {
    const folder = join(on.store.root, name);
    await exportDictionary(folder, 'saelens', { ...weights, ...change });
    return folder;
  };
  const other = await write('other-model', { model: 'gpt2' });
  refused(/trained on 'gpt2'.*of 'fixture-relu'.*--any-model/, other);
  expect(imported(other, '--any-model', '--explain').document.found[0]).toMatchObject({ trainedOn: 'gpt2' });
  const far = await write('other-hook', { hook: 'blocks.9.hook_resid_post' });
  refused(/trained at 'blocks\.9\.hook_resid_post'.*does not have.*--hook/, far);
  const odd = await write('odd-hook', { hook: 'somewhere' });
  refused(/'somewhere'.*no hook point.*--hook/, odd);
  const path = await write('module-path', { hook: 'model.layers.0', model: `someone/${model}` });
  const { document } = imported(path, '--explain');
  expect(document).toMatchObject({ hook, architecture: 'relu', format: 'saelens' });
});

test('--explain says what was found and writes nothing', async () => {
  const folder = join(on.store.root, 'explained');
  await exportDictionary(folder, 'saelens', perfect());
  const { status, stdout } = lazyscope('import', folder, '--capture=fixture', '--format=auto', '--explain');
  expect(status).toBe(0);
  expect(stdout).toContain(
    `is SAELens standard: ${d} latents for activations of width ${d}, trained at '${hook}' of '${model}'.`,
  );
  expect(stdout).toMatch(/Read as relu at 'blocks\.0\.hook_resid_post'. FVU .* on 1024 rows/);
  expect(existsSync(on.store.run('explained'))).toBe(false);
});

test('convert writes one tool’s dictionary as another’s, without a store', async () => {
  const folder = join(on.store.root, 'to-convert');
  const weights = { ...perfect(), hook: 'resid_post_layer_0' };
  await exportDictionary(folder, 'dictionary-learning', weights);
  const to = join(on.store.root, 'converted');
  const { status, stdout } = lazyscope('convert', folder, to, '--format=saelens', '--json');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    kind: 'dictionary_learning AutoEncoder',
    format: 'saelens',
    hook,
  });
  expect(await importDictionary(to)).toMatchObject({ hook, model, wEnc: weights.wEnc, wDec: weights.wDec });
  expect(lazyscope('convert', folder, to, '--format=saelens').stderr).toMatch(/exists/);
  const none = join(on.store.root, 'unconverted');
  expect(lazyscope('convert', folder, none, '--format=sparsify').stderr).toMatch(/holds only topk/);
  expect(existsSync(none)).toBe(false);
});

test('a square decoder stored the other way round is noticed by its reconstruction', async () => {
  const folder = join(on.store.root, 'square');
  const weights = perfect();
  await exportDictionary(folder, 'saelens', { ...weights, wDec: transposedOf(weights.wDec) });
  refused(/square.*that of the decoder transposed.*--transposed decoder/, folder);
  const { document } = imported(folder, '--transposed=decoder', '--name=turned');
  expect(document.found[0].fvu).toBeLessThan(1e-5);
  expect(imported(folder, '--transposed=none', '--explain').document.found[0].fvu).toBeGreaterThan(0.5);
});

/** Random directions, with as many latents as four times the width. */
function random(seed: number, change: Partial<DictionaryWeights>): DictionaryWeights {
  const [numbers, latents] = [Random.fromSeed(seed), 4 * d];
  const wDec = randomRows(numbers, latents, d);
  const common = { latents, d, threshold: null, k: null, hook, model } as const;
  const biases = { bEnc: numbers.normals(latents, 0.1), bDec: numbers.normals(d, 0.1) };
  return { ...common, architecture: 'topk', wEnc: wDec.slice(), wDec, ...biases, ...change };
}

test('what is only used here is evaluated, indexed, compared and exported, and refused by training', async () => {
  const groups = { architecture: 'groupmax', k: 4 } as const;
  const pursuit = { residualThreshold: 0.01, maxIterations: 6, stopsOnRepeat: true };
  const folders = [1, 2].map((seed) => join(on.store.root, `groups-${seed}`));
  for (const [i, folder] of folders.entries()) await exportDictionary(folder, 'sparsify', random(i, groups));
  imported(...folders, `--hook=${hook}`, '--any-model', '--name=groups');
  const matching = join(on.store.root, 'matching');
  const change = { architecture: 'matchingpursuit', pursuit } as const;
  await exportDictionary(matching, 'saelens', random(3, { ...change, bEnc: new Float32Array(4 * d) }));
  expect(imported(matching, '--name=matching').document).toMatchObject({ architecture: 'matchingpursuit' });
  for (const name of ['groups', 'matching']) {
    const { evaluations } = JSON.parse(lazyscope('evaluate', name, '--json').stdout);
    expect(evaluations[0].l0).toBeGreaterThan(0);
    expect(evaluations[0].l0).toBeLessThanOrEqual(name === 'groups' ? 4 : 6);
    expect(lazyscope('index', name, '--json').status).toBe(0);
  }
  // Six latents of a greedy choice explain more than any one direction.
  const { evaluations } = JSON.parse(lazyscope('evaluate', 'matching', '--json').stdout);
  expect(evaluations[0].fvu).toBeLessThan(0.9);
  expect(lazyscope('compare', 'groups', '--json').status).toBe(0);
  const back = join(on.store.root, 'matching-back');
  expect(lazyscope('export', 'matching/0', '--format=saelens', `--to=${back}`).status).toBe(0);
  expect(await importDictionary(back)).toMatchObject({ architecture: 'matchingpursuit', pursuit });
  const trained = lazyscope('train', '--capture=fixture', '--architecture=groupmax', '--name=no');
  expect(trained.status).toBe(2);
  expect(trained.stderr).toMatch(/--architecture.*matryoshkatopk/);
});

test('an autoencoder with a skip connection is imported at the hook that it reads, evaluated, indexed and exported', async () => {
  const folder = join(on.store.root, 'skips', 'layers.0');
  const wSkip = Float32Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? 1 : 0));
  const drawn = random(5, { k: 3, transcoder: { outputHook: hook, wSkip } });
  const small = (values: Float32Array) => values.map((value) => 1e-3 * value);
  const weights = { ...drawn, wDec: small(drawn.wDec), bDec: small(drawn.bDec) };
  await exportDictionary(folder, 'sparsify', weights);
  refused(/predicts what it reads: leave --output-hook out/, folder, '--output-hook=blocks.0.hook_mlp_out');
  const { document, stderr } = imported(folder, '--name=skips');
  expect(document).toMatchObject({ hook, outputHook: hook, architecture: 'topk' });
  expect(stderr).toContain(`Read as topk at '${hook}', an autoencoder with a skip connection.`);
  const [evaluation] = JSON.parse(lazyscope('evaluate', 'skips', '--json').stdout).evaluations;
  expect(evaluation.l0).toBe(3);
  // The connection alone hands the activations on, and the rest adds a thousandth.
  expect(evaluation.fvu).toBeLessThan(1e-3);
  expect(evaluation.ceRecovered).toBeCloseTo(1, 1);
  expect(lazyscope('index', 'skips', '--json').status).toBe(0);
  const back = join(on.store.root, 'skips-back');
  expect(lazyscope('export', 'skips/0', '--format=sparsify', `--to=${back}`).status).toBe(0);
  const read = await importDictionary(back);
  expect(read.transcoder?.wSkip).toEqual(wSkip);
  expect(read.wEnc).toEqual(weights.wEnc);
  read.bEnc.forEach((bias, i) => expect(bias).toBeCloseTo(weights.bEnc[i], 5));
});

test('Llamascopium’s files are imported by their own names, and its weights are those of inference mode', async () => {
  const folder = join(on.store.root, 'llamascopium');
  const [latents, norm] = [2 * d, 3.5];
  const numbers = Random.fromSeed(6);
  const values = { W_E: numbers.normals(d * latents, 0.3), W_D: numbers.normals(latents * d, 0.3) };
  await writeSafetensors(join(folder, 'sae_weights.safetensors'), {
    W_E: { shape: [d, latents], data: values.W_E },
    b_E: { shape: [latents], data: new Float32Array(latents).fill(0.7) },
    W_D: { shape: [latents, d], data: values.W_D },
    b_D: { shape: [d], data: new Float32Array(d).fill(0.2) },
    [`dataset_average_activation_norm.${hook}`]: { shape: [], data: Float32Array.of(norm) },
  });
  const config = { sae_type: 'sae', d_model: d, expansion_factor: 2, act_fn: 'relu', norm_activation: 'dataset-wise' };
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, hook_point_in: hook, hook_point_out: hook }));
  const { document, stderr } = imported(folder, '--format=llamascopium', '--name=theirs');
  expect(document).toMatchObject({ format: 'llamascopium', architecture: 'relu', hook, latents });
  expect(stderr).toMatch(/trained on activations times .* was multiplied into the weights/);
  const { bDec } = await importDictionary(folder);
  expect(bDec[0]).toBeCloseTo((0.2 * norm) / Math.sqrt(d), 5);
  const to = join(on.store.root, 'llamascopium-converted');
  expect(lazyscope('convert', folder, to, '--format=saelens').status).toBe(0);
  // It is read, and not written.
  const none = join(on.store.root, 'llamascopium-none');
  expect(lazyscope('convert', folder, none, '--format=llamascopium').stderr).toMatch(/saelens, sparsify/);
}); // prettier-ignore
