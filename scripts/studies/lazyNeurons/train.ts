/**
 * Trains the models of the study that are not trained yet:
 * `npx tsx scripts/studies/lazyNeurons/train.ts --text FILE --data DIR [--group NAME] [--minutes N]`.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBackend } from '../../../sae/backends/startBackend.ts';
import { tokenizeCorpus } from '../../../sae/tokens/tokenizeCorpus.ts';
import { trainLanguageModel } from '../../../sae/pretraining/trainLanguageModel.ts';
import { emergenceObserver } from '../../../sae/sparsity/emergence/emergence.ts';
import { StoreLayout } from '../../../sae/store/layout.ts';
import { budget, observations, studiedModels } from './plan.ts';

const { values } = parseArgs({
  options: {
    text: { type: 'string' },
    data: { type: 'string' },
    /** activation, longer, training or size; all of them when left out. */
    group: { type: 'string' },
    minutes: { type: 'string', default: 'Infinity' },
  },
});
if (!values.text || !values.data) {
  console.error('lazyscope: give the text to train on and a folder: --text FILE --data DIR.');
  process.exit(2);
}
const store = new StoreLayout(values.data);
const backend = await startBackend('auto');
const corpus = await tokenizeCorpus({
  text: values.text,
  folder: store.corpus('study'),
  vocabularySize: budget.vocabularySize,
});
const end = performance.now() + 60_000 * Number(values.minutes);
for (const { name, group, config } of studiedModels()) {
  if (values.group !== undefined && values.group !== group) continue;
  const folder = store.model(name);
  if (existsSync(join(folder, 'model.safetensors'))) continue;
  if (performance.now() > end) {
    console.error('Time is up: run the same again to go on.');
    break;
  }
  const { validationLoss, seconds, tokensPerSecond } = await trainLanguageModel({
    corpus,
    folder,
    config,
    resume: true,
    observer: emergenceObserver(config.steps ?? budget.steps, observations[group]),
    environment: { backend: backend.name, threads: backend.threads },
  });
  console.error(
    `${name}: validation loss ${validationLoss?.toFixed(3)}, ${seconds.toFixed(0)} s, ${tokensPerSecond.toFixed(0)} tokens/s`,
  );
}
