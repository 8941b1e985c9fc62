import { LazyscopeError } from '../errors.ts';
import { expertOf, parseHookPoint, type HookPoint } from './hookPoints.ts';
import type { ModelConfig } from './modelConfig.ts';

/** Numbers that a hook point has for each token. Throws `bad_input` for one without a fixed width, and for a layer that there isn't. */
export function hookWidth(
  config: Pick<ModelConfig, 'layers' | 'd' | 'neurons' | 'heads' | 'headWidth' | 'experts'>,
  hook: HookPoint,
): number {
  const { hook: place } = parseHookPoint(hook, config.layers);
  const { experts } = config;
  if (expertOf(place) && experts) return config.neurons / experts.count;
  switch (place) {
    case 'mlp.hook_expert_weights':
      return experts?.count ?? 0;
    case 'mlp.hook_expert_indices':
      return experts?.perToken ?? 0;
    case 'mlp.hook_pre':
    case 'mlp.hook_post':
      return config.neurons;
    case 'attn.hook_z':
      return config.heads * config.headWidth;
    case 'attn.hook_pattern':
      throw new LazyscopeError(
        'bad_input',
        `Hook point '${hook}' is as wide as the text is long, so it has no fixed width: choose another.`,
      );
    default:
      return config.d;
  }
}
