/** The lines and their fields are those of SAEDashboard's neuronpedia_export.py, whose classes are spelled out below. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startTestServer, type TestServer } from '../server/testServer.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let on: TestServer;
beforeAll(async () => {
  on = await startTestServer();
});
afterAll(() => on.stop());

/** The server answers meanwhile, which is in this process. */
async function exported(...args: string[]) {
  const program = join(import.meta.dirname, 'lazyscope.mjs');
  const child = spawn(process.execPath, [program, 'export', ...args, '--data', on.store.root]);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => (stdout += data));
  child.stderr.on('data', (data) => (stderr += data));
  const [status] = await once(child, 'close');
  return { status, stdout, stderr };
}

const fields = {
  release: 'name description creatorName creatorId visibility isNewUi featured descriptionShort urls creatorEmail creatorNameShort defaultSourceSetName defaultSourceId defaultUmapSourceIds createdAt',
  model: 'id instruct creatorId displayNameShort displayName tlensId dimension visibility defaultSourceSetName defaultSourceId inferenceEnabled layers neuronsPerLayer createdAt owner updatedAt website',
  sourceset: 'modelId name creatorId hasDashboards visibility description type creatorName urls creatorEmail releaseName defaultOfModelId defaultRange defaultShowBreaks showDfa showCorrelated showHeadAttribution showUmap createdAt',
  source: 'id modelId setName creatorId hasDashboards inferenceEnabled inferenceHosts saelensConfig saelensRelease saelensSaeId hfRepoId hfFolderId visibility defaultOfModelId hasUmap hasUmapLogSparsity hasUmapClusters num_prompts num_tokens_in_prompt dataset notes createdAt',
  features: 'modelId layer index creatorId createdAt maxActApprox hasVector vector vectorLabel vectorDefaultSteerStrength hookName topkCosSimIndices topkCosSimValues neuron_alignment_indices neuron_alignment_values neuron_alignment_l1 correlated_neurons_indices correlated_neurons_pearson correlated_neurons_l1 correlated_features_indices correlated_features_pearson correlated_features_l1 neg_str neg_values pos_str pos_values frac_nonzero freq_hist_data_bar_heights freq_hist_data_bar_values logits_hist_data_bar_heights logits_hist_data_bar_values decoder_weights_dist sourceSetName',
  activations: 'id tokens index layer modelId maxValue maxValueTokenIndex minValue values creatorId dataSource dataIndex dfaValues dfaTargetIndex dfaMaxValue createdAt lossValues logitContributions binMin binMax binContains qualifyingTokenIndex zIndices zValues',
}; // prettier-ignore

test('a bundle holds every latent and example of the index, as the server shows them', async () => {
  const to = join(on.store.root, 'bundle');
  const run = (await on.client.runs.list.query()).find(({ seed }) => seed === 1)?.name ?? '';
  const { status, stderr, stdout } = await exported(
    `${run}/1`, `--to=${to}`, '--format=neuronpedia', '--source-set=res-mine', '--release=mine', '--creator=Me',
    '--creator-id=c123', '--model-id=fixture', '--json',
  ); // prettier-ignore
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  const folder = join(to, 'fixture', '0-res-mine');
  expect(JSON.parse(stdout).folder).toBe(folder);
  const lines = (name: string): Record<string, unknown>[] => {
    const bytes = readFileSync(join(folder, name));
    const text = name.endsWith('.gz') ? gunzipSync(bytes).toString() : bytes.toString();
    return text.trimEnd().split('\n').map((line) => JSON.parse(line)); // prettier-ignore
  };
  const [release] = lines('release.jsonl');
  expect(release).toMatchObject({ name: 'mine', creatorName: 'Me', creatorId: 'c123' });
  const [source] = lines('source.jsonl');
  expect(source).toMatchObject({
    id: '0-res-mine',
    modelId: 'fixture',
    setName: 'res-mine',
    num_tokens_in_prompt: 32,
    num_prompts: 64,
  });
  const features = readdirSync(join(folder, 'features')).flatMap((name) => lines(`features/${name}`));
  const activations = readdirSync(join(folder, 'activations')).flatMap((name) =>
    lines(`activations/${name}`),
  );
  const rows = {
    release: [release],
    source: [source],
    model: lines('model.jsonl'),
    sourceset: lines('sourceset.jsonl'),
    features,
    activations,
  };
  for (const [name, list] of Object.entries(fields))
    for (const row of rows[name as keyof typeof rows])
      expect(Object.keys(row).sort(), name).toEqual(list.split(' ').sort());

  const page = await on.client.features.list.query({ run, seed: 1, limit: 100 });
  expect(features).toHaveLength(page.total);
  expect(new Set(activations.map(({ id }) => id)).size).toBe(activations.length);
  for (const { latent } of page.rows.slice(0, 10)) {
    const shown = await on.client.features.get.query({ run, seed: 1, latent });
    expect(features[latent]).toMatchObject({
      index: String(latent),
      frac_nonzero: shown.density,
      maxActApprox: shown.maxActivation,
      pos_str: shown.promoted.map(({ text }) => text),
      neg_str: shown.suppressed.map(({ text }) => text),
      topkCosSimIndices: shown.neighbours.map((neighbour) => neighbour.latent),
    });
    const own = activations.filter(({ index }) => index === String(latent));
    const [first] = own;
    if (!first) continue;
    expect(first).toMatchObject({ binMin: -1, binContains: -1, maxValue: shown.maxActivation });
    for (const { tokens, values, maxValue, maxValueTokenIndex } of own as {
      tokens: string[];
      values: number[];
      maxValue: number;
      maxValueTokenIndex: number;
    }[]) {
      expect(tokens.length).toBe(values.length);
      expect(values[maxValueTokenIndex]).toBe(maxValue);
    }
  }
});

test('what it needs is named, and its flags are refused elsewhere', async () => {
  const refused = async (said: RegExp, ...args: string[]) => {
    const to = join(on.store.root, 'refused');
    const { status, stderr } = await exported(...args, `--to=${to}`);
    expect(stderr).toMatch(said);
    expect(status).toBe(2);
    expect(existsSync(to)).toBe(false);
  };
  await refused(/--source-set is for --format neuronpedia/, 'fixture-topk/0', '--source-set=x');
  await refused(
    /'No way' can't be part of an address: give --release/,
    'fixture-topk/0',
    '--format=neuronpedia',
    '--release=No way',
  );
});
