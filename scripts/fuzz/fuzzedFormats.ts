/** All formats that are fuzzed. */
import { gguf, legacyPytorch, npy, npz, pytorch, safetensors } from './binaryFormats.ts';
import type { FuzzedFormat } from './fuzzedFormat.ts';
import { arrowShards, featurePages, metricsArrow, parquet } from './storeFormats.ts';
import {
  dictionaryConfig,
  manifests,
  modelConfig,
  neuronpediaSource,
  sweep,
  tokenizer,
  weightIndex,
} from './textFormats.ts';

export const fuzzedFormats: readonly FuzzedFormat[] = [
  safetensors,
  pytorch,
  legacyPytorch,
  npy,
  npz,
  gguf,
  arrowShards,
  metricsArrow,
  parquet,
  featurePages,
  tokenizer,
  modelConfig,
  weightIndex,
  dictionaryConfig,
  neuronpediaSource,
  sweep,
  manifests,
];
