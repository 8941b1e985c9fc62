/** What training begins with: dictionaries drawn from their seeds, in units of the scaled activations. */
import { type DictionaryArrays, zerosLike } from '../autoencoders/dictionary.ts';
import { configuredArchitecture } from '../autoencoders/implementations.ts';
import { randomRows } from '../autoencoders/randomRows.ts';
import { total } from '../autoencoders/total.ts';
import { Random } from '../numerics/random.ts';
import { sumOfSquares } from '../ops/sumOfSquares.ts';
import { describedArchitecture, type TrainingConfig } from '../spec/architectures/architectures.ts';
import type { BatchSource } from './batchSource.ts';
import { inputStatistics } from './inputStatistics.ts';
import { starts } from './startingRows.ts';
import type { TrainerState } from './trainer.ts';

/** The state before the first step. Reads ahead in the source and puts it back. */
export function initialState(config: TrainingConfig, source: BatchSource): TrainerState {
  const statistics = inputStatistics(source);
  const architecture = configuredArchitecture(config);
  const scale = architecture.inputScale(source.d, statistics);
  const sample = statistics.sample.map((value) => value * scale);
  const median = statistics.median.map((value) => value * scale);
  const outputMedian = statistics.outputMedian?.map((value) => value * scale);
  const start = starts(architecture, config.width, config, { sample, median });
  const dictionaries = config.seeds.map((seed) => {
    const random = Random.fromSeed(seed, 'initialisation');
    const autoencoder = start(random);
    const { blocks } = source;
    const parameters = outputMedian
      ? asTranscoder(autoencoder, median, outputMedian, { seed, skips: config.skip === true })
      : blocks
        ? asCrosscoder(autoencoder, blocks, architecture.unitNormDecoder)
        : autoencoder;
    return {
      parameters,
      first: zerosLike(parameters),
      second: zerosLike(parameters),
      sinceFired: new Float64Array(config.width),
      state: describedArchitecture(config.architecture).trainingState,
    };
  });
  return { step: 0, scale, dictionaries };
}

/**
 * *Choice*: a transcoder begins as an autoencoder does, but for its biases: b_dec is the geometric median of the outputs, and b_enc is
 * −W_enc·m, m that of the inputs, where an encoder that subtracts a decoder bias would begin. Between two widths decoder rows are random
 * directions of their own, as long as an autoencoder's would be. W_skip begins at 0.
 */
function asTranscoder(
  autoencoder: DictionaryArrays,
  median: Float32Array,
  outputMedian: Float32Array,
  { seed, skips }: { seed: number; skips: boolean },
): DictionaryArrays {
  const { wEnc } = autoencoder;
  const d = median.length;
  const outputs = outputMedian.length;
  const bEnc = autoencoder.bEnc.map((_, i) => -total(median, wEnc.subarray(i * d, (i + 1) * d)));
  const norm = Math.sqrt(sumOfSquares(autoencoder.wDec.subarray(0, d)));
  const wDec =
    outputs === d
      ? autoencoder.wDec
      : randomRows(Random.fromSeed(seed, 'decoder of a transcoder'), bEnc.length, outputs, norm);
  const wSkip = skips ? new Float32Array(outputs * d) : null;
  // A gate's magnitudes begin as its pre-activations, as in an autoencoder.
  const magnitudes = autoencoder.bMag && { bMag: bEnc.slice() };
  return { ...autoencoder, bEnc, wDec, bDec: outputMedian.slice(), wSkip, ...magnitudes };
}

/**
 * *Choice*: a crosscoder begins as the autoencoder of all activations side by side that it would be with an encoder that subtracts b_dec, which it
 * is not: b_enc is −W_enc·b_dec. Decoder rows of unit norm are brought to size 1, Σ_l ‖W_dec,i^l‖ = 1, and encoder rows lengthened by as much.
 */
function asCrosscoder(
  autoencoder: DictionaryArrays,
  blocks: Int32Array,
  unitSize: boolean,
): DictionaryArrays {
  const { bDec } = autoencoder;
  const d = bDec.length;
  const [wEnc, wDec] = [autoencoder.wEnc.slice(), autoencoder.wDec.slice()];
  const bEnc = autoencoder.bEnc.map((_, i) => {
    const encoder = wEnc.subarray(i * d, (i + 1) * d);
    const decoder = wDec.subarray(i * d, (i + 1) * d);
    const size = unitSize ? rowSize(decoder, blocks) : 1;
    for (let j = 0; j < d; j++) {
      encoder[j] *= size;
      decoder[j] /= size;
    }
    return -total(bDec, encoder);
  });
  return { ...autoencoder, wEnc, bEnc, wDec };
}

/** Σ_l ‖w^l‖ over the blocks of a row. */
function rowSize(row: Float32Array, blocks: Int32Array): number {
  let from = 0;
  let sum = 0;
  for (const end of blocks) {
    sum += Math.sqrt(sumOfSquares(row.subarray(from, end)));
    from = end;
  }
  return sum;
}
