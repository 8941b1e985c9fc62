/** What of a training would fit into a device whose memory ran out. */
import { isLazyscopeError, LazyscopeError } from '../errors.ts';
import { MemoryShortage } from '../ops/memoryShortage.ts';
import type { TrainingConfig } from '../spec/architectures/architectures.ts';

/** How much more than what was asked for so far a step may need by its end. */
const toCome = 1.5;
/** Parameters and both of Adam's moments, in 32 bits. */
const copies = 3 * 4;

/** Bytes of `seeds` dictionaries and their optimiser; vectors are small beside the two matrices. */
const dictionaryBytes = (width: number, d: number, seeds: number) =>
  copies * seeds * (2 * width * d + 4 * width);

/**
 * The error, with what should fit in the place of general advice where memory of the device ran out in a step. `d` is the width of the activations, `seeds`
 * how many dictionaries are on the device.
 */
export function withMemoryAdvice(
  error: unknown,
  { batchSize, width }: Pick<TrainingConfig, 'batchSize' | 'width'>,
  { d, seeds }: { d: number; seeds: number },
): unknown {
  if (!isLazyscopeError(error) || !(error.cause instanceof MemoryShortage)) return error;
  const { wanted, inUse, free } = error.cause;
  const available = inUse + free;
  const ofDictionaries = dictionaryBytes(width, d, seeds);
  const ofBatch = Math.max(0, inUse + wanted - ofDictionaries);
  const halves = (most: number, least: number) =>
    Array.from({ length: 40 }, (_, n) => Math.floor(most / 2 ** (n + 1))).filter((size) => size >= least);
  const batch = halves(batchSize, 1).find(
    (rows) => ofDictionaries + (toCome * ofBatch * rows) / batchSize <= available,
  );
  const narrower = halves(width, 1).find(
    (latents) => toCome * dictionaryBytes(latents, d, seeds) <= available,
  );
  const advice =
    batch !== undefined
      ? `A batch of ${batch} should fit in the place of ${batchSize}: give batchSize ${batch}`
      : seeds > 1 && toCome * dictionaryBytes(width, d, 1) <= available
        ? 'The dictionaries alone leave no room, and one of them should fit: train fewer seeds at once'
        : narrower !== undefined
          ? `The dictionary alone leaves no room, and one of ${narrower} latents should fit: make it narrower`
          : 'No dictionary of this width of activations fits: choose another device';
  const [facts] = error.message.split(/(?<=\.) (?=Use )/);
  return new LazyscopeError(error.code, `${facts} ${advice}, or choose --backend native.`, {
    cause: error.cause,
  });
}
