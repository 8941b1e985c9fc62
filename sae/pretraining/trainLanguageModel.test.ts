import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { silent } from '../progress.ts';
import { tf } from '../tensor/tf.ts';
import { CorpusBatches, holdOut } from './corpusBatches.ts';
import { meanCrossEntropy } from '../models/crossEntropy.ts';
import { learningRateAt } from './languageModelTraining.ts';
import { languageModelTrainingDefaults } from '../spec/languageModelTrainingDefaults.ts';
import type { LanguageModelTraining } from './languageModelTraining.ts';
import { loadLanguageModel } from '../models/loadLanguageModel.ts';
import { tokenizeCorpus } from '../tokens/tokenizeCorpus.ts';
import type { Corpus } from '../tokens/tokenizeCorpus.ts';
import { toyTraining, type ToyTraining } from '../fixtures/toyTraining.ts';

let root: string;
let corpus: Corpus;
let train: ToyTraining['train'];
let toy: ToyTraining;
beforeAll(async () => {
  await startBackend('auto');
  toy = await toyTraining();
  ({ root, corpus, train } = toy);
});
afterAll(() => toy.remove());
const weights = (name: string) => readFileSync(join(root, name, 'model.safetensors'));

test.each([
  { family: 'gpt2', activation: 'gelu' },
  { family: 'llama', activation: 'relu', keyValueHeads: 1 },
] as const)(
  '$family with $activation learns, and its folder loads as the model that was trained',
  async (choice) => {
    const before = tf.memory().numTensors;
    const result = await train(choice.family, { ...choice, steps: 60, logEvery: 1, validateEvery: 20 });
    expect(tf.memory().numTensors, 'every tensor is disposed').toBe(before);
    expect(readdirSync(result.folder).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
      'training.json',
    ]);
    const record = JSON.parse(readFileSync(join(result.folder, 'training.json'), 'utf8')) as {
      curve: { loss: number; validationLoss?: number }[];
      config: LanguageModelTraining;
    };
    expect(record.config).toMatchObject(choice);
    expect(record.curve[0].loss).toBeCloseTo(Math.log(280), 1);
    expect(result.validationLoss!).toBeLessThan(Math.log(280) - 1);

    const model = await loadLanguageModel(result.folder);
    expect(model.config).toMatchObject({ ...choice, gated: choice.family === 'llama' });
    expect(model.parameterCount()).toBe(result.parameters);
    const { heldOut } = holdOut(corpus.tokens, 0.05);
    const contexts = Array.from({ length: 4 }, (_, i) => [0, ...heldOut.subarray(i * 16, i * 16 + 15)]);
    // The loss of all labels but the first of each context, which meanCrossEntropy does not see the label of.
    const loss = meanCrossEntropy(model, Int32Array.from(contexts.flat()), 16);
    expect(Math.abs(loss - result.validationLoss!)).toBeLessThan(0.3);
    model.dispose();
  },
);

test('a training that was stopped goes on to the same bits', async () => {
  await train('whole');
  const abort = new AbortController();
  const stop = train('stopped', {}, {
    signal: abort.signal,
    report: ({ done }: { done: number }) => done === 10 && abort.abort(),
  }); // prettier-ignore
  await expect(stop).rejects.toMatchObject({
    code: 'cancelled',
    message: expect.stringMatching(/step 10 of 24/),
  });
  expect(existsSync(join(root, 'stopped', 'model.safetensors'))).toBe(false);
  await expect(train('stopped')).rejects.toMatchObject({ code: 'conflict' });
  await expect(train('stopped', { learningRate: 1 }, { resume: true })).rejects.toThrow(
    /another learningRate/,
  );
  await train('stopped', {}, { resume: true });
  expect(weights('stopped').equals(weights('whole'))).toBe(true);
  const curve = (name: string) =>
    (JSON.parse(readFileSync(join(root, name, 'training.json'), 'utf8')) as { curve: unknown }).curve;
  expect(JSON.stringify(curve('stopped'))).toBe(JSON.stringify(curve('whole')));
  expect(existsSync(join(root, 'stopped', 'checkpoint.safetensors'))).toBe(false);
});

test('a training that was killed after its weights were written is finished when it is resumed', async () => {
  const finished = await train('finished');
  writeFileSync(join(root, 'finished', 'checkpoint.safetensors'), 'left');
  expect(await train('finished', {}, { resume: true })).toEqual(finished);
  expect(existsSync(join(root, 'finished', 'checkpoint.safetensors'))).toBe(false);
  const taken = { code: 'conflict', message: expect.stringMatching(/already holds a model/) };
  await expect(train('finished')).rejects.toMatchObject(taken);
  await expect(train('finished', { learningRate: 1 }, { resume: true })).rejects.toMatchObject(taken);
});

test('another seed gives another model', async () => {
  await train('seed', { seed: 1 });
  expect(weights('seed').equals(weights('whole'))).toBe(false);
});

test('weights are stored as float16 when asked', async () => {
  await train('half', { steps: 1, dtype: 'F16' });
  expect(weights('half').length).toBeLessThan(0.6 * weights('whole').length);
  (await loadLanguageModel(join(root, 'half'))).dispose();
});

test('bad input is refused before anything is written', async () => {
  const refused = async (config: object, message: RegExp) => {
    await expect(train('refused', config)).rejects.toMatchObject({
      code: 'bad_input',
      message: expect.stringMatching(message),
    });
    expect(existsSync(join(root, 'refused', 'checkpoint.safetensors'))).toBe(false);
  };
  await refused({ activation: 'nonsense' }, /'activation'/);
  await refused({ heads: 3 }, /3 heads do not divide the width 16/);
  await refused({ keyValueHeads: 1 }, /is of the llama family/);
  await refused({ steps: 0 }, /'steps'/);
  await refused({ contextLength: 512 }, /too short/);
  await expect(train('whole')).rejects.toMatchObject({ code: 'conflict' });
});

test('the tokenised text is made once; a damaged one is named', async () => {
  const text = join(import.meta.dirname, '../tokens/fixtures/text.txt');
  const folder = join(root, 'corpus');
  let stages = 0;
  const again = () => tokenizeCorpus({ text, folder, vocabularySize: 280, report: () => stages++ });
  expect((await again()).tokens).toEqual(corpus.tokens);
  expect(stages).toBe(0);
  await expect(
    tokenizeCorpus({ text: join(root, 'none.txt'), folder, vocabularySize: 280 }),
  ).rejects.toMatchObject({
    code: 'not_found',
  });
  await expect(tokenizeCorpus({ text, folder, vocabularySize: 100 })).rejects.toThrow(/257 to 65,536/);
  writeFileSync(join(folder, 'tokens.u16'), new Uint8Array(10));
  await expect(again()).rejects.toMatchObject({ code: 'corrupt' });
});

test('documents are separated by <|endoftext|>, without the white space around it', async () => {
  const text = join(root, 'documents.txt');
  writeFileSync(text, 'one one\n\n<|endoftext|>\n\ntwo two\n<|endoftext|>three');
  const folder = join(root, 'documents');
  const { tokens, manifest } = await tokenizeCorpus({ text, folder, vocabularySize: 258, report: silent });
  expect(manifest.documents).toBe(3);
  const { loadTokenizer } = await import('../tokens/tokenizer.ts');
  const pieces = Array.from(tokens, (id) => loadTokenizer(folder).tokenText(id)).join('');
  expect(pieces).toBe('<|endoftext|>one one<|endoftext|>two two<|endoftext|>three');
});

test('an epoch reads every sequence once; the next one in another order from another offset', () => {
  const tokens = Uint16Array.from({ length: 103 }, (_, i) => i);
  const batches = new CorpusBatches(
    { inputs: tokens, labels: tokens },
    { seed: 1, batchSize: 3, contextLength: 10 },
  );
  const starts = (epoch: number) =>
    Array.from({ length: 3 }, (_, i) => batches.at(1 + 3 * epoch + i).labels).flatMap((labels) => [
      labels[0],
      labels[10],
      labels[20],
    ]);
  const [first, second] = [starts(0), starts(1)];
  expect(batches.sequences).toBe(9);
  const offset = Math.min(...first);
  expect([...first].sort((a, b) => a - b)).toEqual(first.map((_, i) => offset + 10 * i));
  expect(second).not.toEqual(first);
  const { inputs, labels } = batches.at(1);
  expect(Array.from(inputs.subarray(0, 3))).toEqual([0, labels[0], labels[1]]);
});

test('held-out blocks and training tokens are the text, without overlap', () => {
  const tokens = Uint16Array.from({ length: 10_000 }, (_, i) => i);
  const { training, heldOut } = holdOut(tokens, 0.1);
  expect(heldOut.length / tokens.length).toBeCloseTo(0.1, 2);
  expect([...training, ...heldOut].sort((a, b) => a - b)).toEqual([...tokens]);
});

test('the learning rate warms up linearly and falls along half a cosine', () => {
  const config = {
    ...languageModelTrainingDefaults,
    steps: 1100,
    warmupSteps: 100,
    learningRate: 1,
    finalRate: 0.1,
  };
  expect(learningRateAt(config, 1)).toBeCloseTo(0.01, 9);
  expect(learningRateAt(config, 100)).toBe(1);
  expect(learningRateAt(config, 600)).toBeCloseTo(0.55, 9);
  expect(learningRateAt(config, 1100)).toBeCloseTo(0.1, 9);
});
