/** Training rows of a capture as they are stored, for backends that widen and scale them where they compute. */
import { bytesOfType, type ShardType } from '../spec/shardTypes.ts';

/** Rows as a file holds them: float16 by their bits. */
export interface StoredBlock {
  /** The number of the first row. */
  readonly first: number;
  /** [rows × width] */
  readonly values: Uint16Array | Float32Array;
}

/** The training rows of one hook point. */
export interface StoredTrainingRows {
  readonly width: number;
  /** What their numbers are multiplied by where they are part of a joint hook point, and otherwise 1. */
  readonly scale: number;
  /** How many places they take. */
  readonly places: number;
  readonly dtype: ShardType;
  /** By their places. */
  blocks(): Iterable<StoredBlock>;
  /** The place of each of some rows. */
  placesOf(rows: Uint32Array): Int32Array;
  /** The type of number in which `gather` gives them now: float32 where the host has widened them already. */
  gatheredAs(): ShardType;
  /** Copies the rows at these places, in any order, to `into` [places × width]. */
  gather(places: Int32Array, into: Uint8Array): void;
}

/** Bytes of all rows as they are stored. */
export const storedBytes = ({ dtype, places, width }: StoredTrainingRows): number =>
  bytesOfType[dtype] * places * width;

/** Whether these are more than the rows of one hook point as they are. */
export const isJoint = (hooks: readonly Pick<StoredTrainingRows, 'scale'>[]): boolean =>
  hooks.length !== 1 || hooks[0].scale !== 1;
