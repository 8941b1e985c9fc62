/** Runs the contexts of one shard through the model. Forward passes begin anew with each shard, so that its bytes don't depend on who makes it, or after what. */
import { LazyscopeError } from '../errors.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { activationRows, passTokens } from './activationRows.ts';
import type { ShardWriter } from './shardWriter.ts';

export interface ShardPass {
  /** Of the capture, for errors. */
  name: string;
  model: LanguageModel;
  hooks: readonly HookPoint[];
  /** One a hook. */
  writers: readonly ShardWriter[];
  /** [contexts of the capture × contextLength] */
  tokens: Int32Array;
  contextLength: number;
  firstPosition: number;
  /** Contexts in one forward pass; by default as many as make about 4,096 tokens. */
  batchSize?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Called with the number of contexts of the capture up to the last one that was run. */
  passed?: (contexts: number) => void;
}

/** Gives the activations of contexts `from` … `end` − 1 to the writers. Throws 'cancelled' when `signal` fires. */
export async function fillShard(pass: ShardPass, from: number, end: number): Promise<void> {
  const { name, model, hooks, writers, tokens, contextLength, firstPosition, signal } = pass;
  const batchSize = pass.batchSize ?? Math.max(1, Math.floor(passTokens / contextLength));
  for (let first = from; first < end; first += batchSize) {
    if (signal?.aborted)
      throw new LazyscopeError('cancelled', `Capture '${name}' was stopped; run it again to go on.`);
    const to = Math.min(first + batchSize, end);
    const batch = tokens.subarray(first * contextLength, to * contextLength);
    await activationRows({ model, hooks, tokens: batch, contextLength, firstPosition }, (hook, rows) =>
      writers[hook].append(rows),
    );
    pass.passed?.(to);
    // Lets a signal or a timer through between two forward passes, which block.
    await new Promise((next) => setImmediate(next));
  }
}
