/** What one forward pass of a decoder is made from. */
import type { Random } from '../numerics/random.ts';
import type { Tensor2D } from '../tensor/tf.ts';
import type { Weights } from './families/storedModules.ts';
import type { HookTap } from './hookTap.ts';
import type { KeyValueCache } from './keyValueCache.ts';
import type { ForwardOptions } from './languageModel.ts';
import type { ModelConfig } from './modelConfig.ts';

export interface DecoderPass {
  config: ModelConfig;
  weights: Weights;
  tap: HookTap;
  cache?: KeyValueCache;
  /** Of an encoder, int32 [batch, seq]; all 0 when absent. */
  tokenTypes?: Tensor2D | undefined;
  /** The stretch of blocks that is run; all of them when absent. */
  from?: ForwardOptions['from'];
  until?: ForwardOptions['until'];
  /** While a model trains: what its activation function draws from, if it draws. */
  draws?: Random;
}
