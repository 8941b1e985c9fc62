/** The families that can be read, each in its own file. */
import type { Family } from './decoderParts.ts';
import { gpt2 } from './gpt2.ts';
import { llama } from './llama.ts';
import type { ModelConfig } from '../modelConfig.ts';

export function familyOf(config: ModelConfig): Family {
  switch (config.family) {
    case 'llama':
      return llama(config);
    case 'gpt2':
      return gpt2(config);
  }
}
