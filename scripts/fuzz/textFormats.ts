/** JSON and YAML: tokenizers, configurations, indexes, sweeps and the store's own documents. */
import { cpSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { importDictionary } from '../../sae/formats/importDictionary.ts';
import { readNeuronpediaSource } from '../../sae/labels/neuronpedia/readNeuronpediaSource.ts';
import { folderWeights } from '../../sae/models/folderWeights.ts';
import { inspectModel } from '../../sae/models/inspectModel.ts';
import { parseModelConfig } from '../../sae/models/readModelConfig.ts';
import { readJsonFile } from '../../sae/formats/parseJson.ts';
import type { Random } from '../../sae/numerics/random.ts';
import { captureKind } from '../../sae/spec/manifests/capture.ts';
import { comparisonKind } from '../../sae/spec/manifests/comparison.ts';
import { corpusKind } from '../../sae/spec/manifests/corpus.ts';
import { evaluationKind } from '../../sae/spec/manifests/evaluation.ts';
import { runKind } from '../../sae/spec/manifests/run.ts';
import { sparsityReportKind } from '../../sae/spec/manifests/sparsityReport.ts';
import { trainingRecordKind } from '../../sae/spec/manifests/trainingRecord.ts';
import type { ManifestKind } from '../../sae/spec/manifests/manifestKind.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import { checkManifest } from '../../sae/store/writeManifest.ts';
import { loadTokenizer } from '../../sae/tokens/tokenizer.ts';
import { parseSweep } from '../../sae/training/sweep.ts';
import { holds, Inconsistent, type FuzzedFormat } from './fuzzedFormat.ts';
import { below, mutateBytes, pick } from './mutateBytes.ts';
import { mutateJson } from './mutateJson.ts';
import { placeCase } from './placeCase.ts';

const sae = join(import.meta.dirname, '../../sae');
const parsed = (path: string): unknown => JSON.parse(readFileSync(join(sae, path), 'utf8'));

/** Changed in its values, or now and then in its text, or something that is hard on parsers. */
function jsonCase(sound: unknown, random: Random): string {
  const what = random.uniform();
  if (what < 0.02) return pick(random, ['[', '{"a":']).repeat(200_000);
  if (what < 0.03) return `[${'{},'.repeat(400_000)}{}]`;
  if (what < 0.1) return mutateBytes(Buffer.from(JSON.stringify(sound)), random).toString('latin1');
  return JSON.stringify(mutateJson(sound, random)) ?? 'undefined';
}

export const tokenizer: FuzzedFormat = {
  name: 'tokenizer',
  prepare: async (folder) => {
    const samples = [
      'models/fixtures/tinyLlama/tokenizer.json',
      'models/fixtures/tinyGpt2/tokenizer.json',
    ].map(parsed);
    const texts = ['Call me Ishmael. Some years ago', ' \n\té\u{1f600}x12', '<|endoftext|><s>a'];
    return {
      write: (random) =>
        placeCase(
          join(folder, 'tokenizer.json'),
          jsonCase(vocabularyOf(pick(random, samples), random), random),
          random,
        ),
      read() {
        const found = loadTokenizer(folder);
        holds(found.vocabularySize < 1e6, `a vocabulary of ${found.vocabularySize}`);
        for (const text of texts) {
          const ids = found.encode(text);
          const odd = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < found.vocabularySize));
          holds(odd === undefined, `'${text}' gave the id ${odd} of ${found.vocabularySize}`);
          holds(typeof found.decode(ids) === 'string', 'a decoding that is no text');
          for (const id of ids) found.tokenText(id);
        }
      },
    };
  },
};

/** Faults that a vocabulary can have and a change at random seldom makes: holes, huge and repeated ids, missing pieces. */
function vocabularyOf(sample: unknown, random: Random): unknown {
  if (random.uniform() < 0.4) return sample;
  const copy = structuredClone(sample) as { model: { vocab: Record<string, number> | unknown[] } };
  const { vocab } = copy.model;
  if (Array.isArray(vocab)) return copy;
  const pieces = Object.keys(vocab);
  for (let i = 0; i < 1 + below(random, 30); i++) {
    const piece = pick(random, pieces);
    if (random.uniform() < 0.5) delete vocab[piece];
    else vocab[piece] = pick(random, [2 ** 31, 1e9, 2 ** 53, -1, 0, 0.5, pieces.length + 3, 70_000, 1e6]);
  }
  return copy;
}

export const modelConfig: FuzzedFormat = {
  name: 'model-config',
  prepare: async (folder) => {
    const model = join(folder, 'model');
    cpSync(join(sae, 'models/fixtures/tinyLlama'), model, { recursive: true });
    const own = parsed('models/fixtures/tinyLlama/config.json');
    const saved = Object.values(parsed('models/fixtures/families/savedConfigs.json') as object) as unknown[];
    const path = join(model, 'config.json');
    return {
      write: (random) =>
        placeCase(path, jsonCase(random.uniform() < 0.3 ? own : pick(random, saved), random), random),
      async read() {
        await inspectModel(model);
        const { layers, d, vocabularySize } = parseModelConfig(readJsonFile(path), path);
        holds(
          [layers, d, vocabularySize].every((n) => Number.isSafeInteger(n) && n > 0),
          `sizes ${layers}, ${d}, ${vocabularySize}`,
        );
      },
    };
  },
};

export const weightIndex: FuzzedFormat = {
  name: 'weight-index',
  prepare: async (folder) => {
    const model = join(folder, 'model');
    cpSync(join(sae, 'models/fixtures/tinyLlama'), model, { recursive: true });
    cpSync(join(model, 'model-00001-of-00004.safetensors'), join(folder, 'outside.bin'));
    const name = 'model.safetensors.index.json';
    const sound = parsed(`models/fixtures/tinyLlama/${name}`);
    return {
      write: (random) => placeCase(join(model, name), jsonCase(sound, random), random),
      async read() {
        for (const { path } of await folderWeights(model))
          holds(join(model, basename(path)) === path, `'${path}' was read, outside its folder`);
      },
    };
  },
};

export const dictionaryConfig: FuzzedFormat = {
  name: 'dictionary-config',
  prepare: async (folder) => {
    const cases = [
      { from: 'saelens-topk', file: 'cfg.json' },
      { from: 'saelens-standard', file: 'cfg.json' },
      { from: 'saelens-jumprelu', file: 'cfg.json' },
      { from: 'sparsify/layers.1', file: 'cfg.json' },
      { from: 'dictionary-learning-topk', file: 'config.json' },
      { from: 'gemma-scope-2', file: 'config.json' },
      { from: 'llamascopium-topk', file: 'config.json' },
      { from: 'llamascopium-jumprelu', file: 'config.json' },
      { from: 'llama-scope', file: 'hyperparams.json' },
      { from: 'sparsify-skip-autoencoder/layers.1', file: 'cfg.json' },
    ].map(({ from, file }) => {
      const to = join(folder, from.replace('/', '-'));
      cpSync(join(sae, 'formats/fixtures/packages', from), to, { recursive: true });
      return { to, file, sound: JSON.parse(readFileSync(join(to, file), 'utf8')) as unknown };
    });
    let current = cases[0];
    return {
      write(random) {
        current = pick(random, cases);
        return placeCase(join(current.to, current.file), jsonCase(current.sound, random), random);
      },
      async read() {
        const { wEnc } = await importDictionary(current.to);
        holds(wEnc.every(Number.isFinite), 'weights that are not finite');
      },
    };
  },
};

export const neuronpediaSource: FuzzedFormat = {
  name: 'neuronpedia-source',
  prepare: async (folder) => {
    const path = join(folder, 'batch-0.jsonl');
    const of = { modelId: 'gpt2-small', layer: '5-res-jb' };
    const sound = [
      {
        ...of,
        id: 'e2',
        index: '2',
        description: 'years',
        explanationModelName: 'gpt-4o-mini',
        embedding: [0.25, -1],
      },
      { ...of, index: '7', pos_str: [' 1999', ' 2001'], pos_values: [2, 1], vector: [0.5, -0.25, 1] },
      { ...of, index: 9, explanations: [{ description: 'dates', explanationModelName: null }] },
    ];
    return {
      write(random) {
        const lines = sound.map((line) =>
          random.uniform() < 0.5 ? jsonCase(line, random) : JSON.stringify(line),
        );
        const text = Buffer.from(random.uniform() < 0.2 ? jsonCase(sound, random) : lines.join('\n'));
        // As it comes from the bucket; what is packed may be damaged too, or claim much.
        const packed = random.uniform() < 0.5 ? gzipSync(text, { level: 1 }) : text;
        return (
          placeCase(path, random.uniform() < 0.3 ? mutateBytes(packed, random) : packed, random) + text.length
        );
      },
      async read() {
        const { explanations, features } = await readNeuronpediaSource(path);
        for (const { latent, description } of explanations)
          holds(
            Number.isSafeInteger(latent) && latent >= 0 && description !== '',
            `latent ${latent} '${description}'`,
          );
        for (const [latent, { vector }] of features)
          holds(Number.isSafeInteger(latent) && vector.every(Number.isFinite), `a vector of ${latent}`);
      },
    };
  },
};

const soundSweep = `name: fuzz
capture: demo
tokens: 1200000
architectures: [relu, topk, jumprelu]
hooks: [blocks.2.hook_resid_post]
widths: [2048, 4096]
k: [16, 32]
sparsityCoefficients: [5]
targetL0: [32]
seeds: [0, 1, 2]
settings: { learningRate: 1e-3 }
`;
const pieces = [
  '- ', '? ', ': ', '[', ']', '{', '}', ', ', '&a ', '*a', '<<: *a', '!!binary ', '!!js/function ', '| ', '> ', '---\n', '%TAG ! !\n', '\t', '\n  ', '"', "'", '# ',
  'a: ', '0x', '.inf', '.nan', '~', '2001-01-01', '\u2028', '\0', '1e400', '-1', '0', '__proto__: ',
]; // prettier-ignore

export const sweep: FuzzedFormat = {
  name: 'sweep-yaml',
  prepare: async () => {
    let text = soundSweep;
    return {
      write(random) {
        text = soundSweep;
        if (random.uniform() < 0.3) {
          const number = pick(random, [
            '0',
            '-1',
            '1e400',
            '.nan',
            '3',
            '64',
            '2147483648',
            'x',
            '[]',
            '1.5',
            '~',
          ]);
          const places = [...text.matchAll(/\d+/g)];
          const { index, 0: old } = pick(random, places);
          text = text.slice(0, index) + number + text.slice(index + old.length);
          return Buffer.byteLength(text);
        }
        for (let i = 0; i < 1 + below(random, 4); i++) {
          const at = below(random, text.length);
          const times = pick(random, [1, 1, 1, 2, 50, 20_000]);
          text = text.slice(0, at) + pick(random, pieces).repeat(times) + text.slice(at + below(random, 10));
        }
        if (random.uniform() < 0.02)
          text = soundSweep.replace(
            '[2048, 4096]',
            `[${Array.from({ length: 6000 }, (_, i) => i + 1).join()}]`,
          );
        if (random.uniform() < 0.02)
          text = `a: &a [x]\n${Array.from({ length: 40 }, (_, i) => `b${i}: &b${i} [${`*${i === 0 ? 'a' : `b${i - 1}`},`.repeat(9)}]`).join('\n')}`;
        return Buffer.byteLength(text);
      },
      read() {
        const runs = parseSweep(text);
        holds(new Set(runs.map(({ name }) => name)).size === runs.length, 'two runs of one name');
        for (const { name } of runs) holds(/^[A-Za-z0-9][\w.-]*$/.test(name), `a run named '${name}'`);
      },
    };
  },
};

const kinds = [
  [captureKind, 'captures/letters/capture.json'],
  [runKind, 'runs/jumprelu/run.json'],
  [evaluationKind, 'runs/topk/seed-0/evaluation.json'],
  [comparisonKind, 'comparisons/topk-0-1/comparison.json'],
  [sparsityReportKind, 'sparsity/tiny/report.json'],
  [corpusKind, 'corpora/text.txt-280/corpus.json'],
  [trainingRecordKind, 'models/tiny/training.json'],
] as const;

export const manifests: FuzzedFormat = {
  name: 'manifests',
  prepare: async (folder) => {
    const path = join(folder, 'case.json');
    const samples = kinds.map(([kind, file]) => ({
      kind: kind as unknown as ManifestKind<{ version: number }>,
      sound: parsed(`store/fixtures/store-v1/${file}`),
    }));
    let { kind } = samples[0];
    return {
      write(random) {
        const sample = pick(random, samples);
        kind = sample.kind;
        return placeCase(path, jsonCase(sample.sound, random), random);
      },
      async read() {
        const document = await readManifest(path, kind);
        // What is read can be written again.
        try {
          checkManifest(path, kind, document, document);
        } catch (error) {
          throw new Inconsistent(`${kind.name} was read and can't be written: ${String(error)}`);
        }
      },
    };
  },
};
