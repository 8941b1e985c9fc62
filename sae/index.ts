/**
 * `lazyscope`: the library's public surface. What is named here stays as it is within a minor version; everything else
 * under `sae/` is free to move. A program starts a backend first, opens a store, and calls the same functions that
 * the command line does:
 *
 *     await startBackend('auto');
 *     const store = new StoreLayout('data');
 *     const model = await loadLanguageModel('path/to/a/hugging-face/folder');
 *     await capture({ store, name: 'mine', model, text: await readText('book.txt'), hooks: ['blocks.2.hook_resid_post'], contextLength: 128 });
 *
 * @module lazyscope
 */

// Backends and tensors.
export { describeEnvironment } from './backends/describeEnvironment.ts';
export { probeBackends, startBackend } from './backends/startBackend.ts';
export type { BackendChoice, BackendProbe, StartedBackend } from './backends/startBackend.ts';
export type { BackendOptions } from './backends/backend.ts';
export { tf } from './tensor/tf.ts';
export type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D } from './tensor/tf.ts';

// The store. What its manifests hold is described in `lazyscope/spec`.
export { StoreLayout } from './store/layout.ts';
export { readManifest } from './store/readManifest.ts';
export { queryParquet } from './store/parquet.ts';

// Language models and text.
export { loadLanguageModel } from './models/loadLanguageModel.ts';
export { parseHookPoint } from './models/hookPoints.ts';
export { generate } from './models/generate.ts';
export { writeLanguageModel } from './models/writeLanguageModel.ts';
export { trainLanguageModel } from './pretraining/trainLanguageModel.ts';
export { readText } from './tokens/readText.ts';
export type { ForwardOptions, ForwardResult, LanguageModel } from './models/languageModel.ts';
export type { GenerateOptions, Generation } from './models/generate.ts';
export type { HookPoint } from './models/hookPoints.ts';
export type { Text } from './tokens/readText.ts';
export type { Tokenizer } from './tokens/tokenizer.ts';

// From activations to trained dictionaries.
export { capture } from './activations/capture.ts';
export { openCapture } from './activations/openCapture.ts';
export { defaultTrainingConfig } from './training/defaults.ts';
export { configureSweep } from './training/sweep.ts';
export { train } from './training/train.ts';
export { initialState } from './training/initialState.ts';
export { Trainer } from './training/trainer.ts';
export { readMetrics } from './training/metrics.ts';
export type { Capture } from './activations/openCapture.ts';
export type { CaptureOptions } from './activations/planCapture.ts';
export type { BatchSource } from './training/batchSource.ts';
export type { StepMetrics } from './training/trainer.ts';
export type { TrainOptions } from './training/train.ts';

// Dictionaries in use, and what they are worth.
export { autoencoderFrom, loadAutoencoder } from './autoencoders/autoencoder.ts';
export { readDictionary, writeDictionary } from './autoencoders/dictionaryFile.ts';
export { evaluate, score } from './evaluation/evaluate.ts';
export { indexFeatures } from './features/indexFeatures.ts';
export { compare } from './comparison/compare.ts';
export { storeStability } from './comparison/storedStability.ts';
export { dictionaryMap } from './comparison/dictionaryMap.ts';
export { measureSparsity } from './sparsity/measureSparsity.ts';
export type { Autoencoder, SparseCode } from './autoencoders/autoencoder.ts';
export type { DictionaryMetadata, StoredDictionary } from './autoencoders/dictionaryFile.ts';
export type { CompareOptions } from './comparison/openComparison.ts';
export type { EvaluateOptions } from './evaluation/evaluate.ts';
export type { IndexOptions } from './features/indexFeatures.ts';
export type { MeasureOptions } from './sparsity/measureSparsity.ts';

// Files of other tools.
export {
  dictionaryFormats,
  exportDictionary,
  importDictionary,
  importedFormats,
} from './formats/importDictionary.ts';
export { readSafetensors, writeSafetensors } from './formats/safetensors.ts';
export type { DictionaryFormat, ImportedFormat, ImportOptions } from './formats/importDictionary.ts';
export type { DictionaryWeights, ImportedDictionary, Transposed } from './formats/dictionaryWeights.ts';

export { isLazyscopeError, LazyscopeError } from './errors.ts';
export type { ErrorCode } from './errors.ts';
export type { Progress, Report } from './progress.ts';
