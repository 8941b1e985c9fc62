/** The types in which a capture's shards hold activations. */
export const shardTypes = ['float16', 'float32'] as const;
export type ShardType = (typeof shardTypes)[number];

/** Bytes of a number. */
export const bytesOfType: Readonly<Record<ShardType, number>> = { float16: 2, float32: 4 };
