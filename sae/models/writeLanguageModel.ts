/** Writes a Hugging Face folder that loadLanguageModel and transformers read. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSafetensors } from '../formats/safetensors.ts';
import type { TensorToWrite } from '../formats/safetensors.ts';
import { trainingRecordKind, type TrainingRecord } from '../spec/manifests/trainingRecord.ts';
import { writeFileAtomic, writeJsonAtomic } from '../store/atomicWrite.ts';
import { writeManifest } from '../store/writeManifest.ts';
import type { Weights } from './families/storedModules.ts';
import { toHuggingFaceConfig } from './readModelConfig.ts';
import type { ModelConfig } from './modelConfig.ts';
import { tokenizerConfigJson } from '../tokens/tokenizerFiles.ts';

export interface ModelToWrite {
  config: ModelConfig;
  weights: Weights;
  dtype: 'F16' | 'F32';
  /** The tokenizer.json to copy. */
  tokenizer: string;
  /** How it was trained: training.json. */
  record: TrainingRecord;
}

/** The weights come last: a folder that has them is complete. */
export async function writeLanguageModel(folder: string, model: ModelToWrite): Promise<void> {
  const { config, weights, dtype, tokenizer, record } = model;
  await writeFileAtomic(join(folder, 'tokenizer.json'), await readFile(tokenizer));
  await writeJsonAtomic(join(folder, 'tokenizer_config.json'), tokenizerConfigJson(config.contextLength));
  await writeJsonAtomic(join(folder, 'config.json'), {
    ...toHuggingFaceConfig(config),
    torch_dtype: dtype === 'F16' ? 'float16' : 'float32',
  });
  await writeManifest(join(folder, 'training.json'), trainingRecordKind, record);
  const tensors: Record<string, TensorToWrite> = {};
  for (const [name, weight] of weights)
    tensors[name] = { shape: weight.shape, data: (await weight.data()) as Float32Array, dtype };
  // transformers asks for this mark of where the tensors come from.
  await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
}
