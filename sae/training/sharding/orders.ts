/** What process 0 tells the others to do next, so that all make the same calls in the same order. */
import { z } from 'zod';
import { sourceStateSchema } from '../batchSource.ts';
import type { Communicator } from './communicator.ts';

const shape = z.strictObject({
  width: z.int().positive(),
  lengths: z.record(z.string(), z.int().nonnegative()),
});

const orderSchema = z.discriminatedUnion('order', [
  /** A training begins: what of it isn't sent in tensors. */
  z.strictObject({
    order: z.literal('begin'),
    config: z.looseObject({ capture: z.string() }),
    exclusion: z.string(),
    source: sourceStateSchema,
    step: z.int().nonnegative(),
    scale: z.number(),
    shape,
    /** Of each dictionary: what its architecture keeps. */
    states: z.array(z.record(z.string(), z.number())),
  }),
  z.strictObject({ order: z.literal('advance'), withLoss: z.boolean() }),
  /** All parameters and moments go to process 0. */
  z.strictObject({ order: z.literal('gather state') }),
  z.strictObject({ order: z.literal('gather parameters'), index: z.int().nonnegative() }),
  /** The training is over. */
  z.strictObject({ order: z.literal('end') }),
  /** No other training comes. */
  z.strictObject({ order: z.literal('leave') }),
]);
export type Order = z.infer<typeof orderSchema>;
export type Begin = Extract<Order, { order: 'begin' }>;

/** By process 0. */
export function give(communicator: Communicator, order: Order): void {
  const text = Buffer.from(JSON.stringify(order));
  communicator.broadcast(Int32Array.of(text.length));
  communicator.broadcast(text);
}

/** By the others; waits for the next order. */
export function receive(communicator: Communicator): Order {
  const length = new Int32Array(1);
  communicator.broadcast(length);
  const text = Buffer.alloc(length[0]);
  communicator.broadcast(text);
  return orderSchema.parse(JSON.parse(text.toString()));
}
