/** What one forward pass of a decoder is made from. */
import type { Random } from '../numerics/random.ts';
import type { Weights } from './families/storedModules.ts';
import type { HookTap } from './hookTap.ts';
import type { KeyValueCache } from './keyValueCache.ts';
import type { ModelConfig } from './modelConfig.ts';

export interface DecoderPass {
  config: ModelConfig;
  weights: Weights;
  tap: HookTap;
  cache?: KeyValueCache;
  /** While a model trains: what its activation function draws from, if it draws. */
  draws?: Random;
}
