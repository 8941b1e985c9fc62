/** A part of a forward pass: from the residual stream before one block to that before another. */
import { LazyscopeError } from '../errors.ts';
import type { Tensor2D } from '../tensor/tf.ts';
import { parseHookPoint } from './hookPoints.ts';
import type { HookPoint } from './hookPoints.ts';
import type { KeyValueCache } from './keyValueCache.ts';
import type { ForwardOptions, LanguageModel } from './languageModel.ts';
import type { ModelConfig } from './modelConfig.ts';

/** The block that a hook point is in: the number of layers for what follows the last block, −1 for what precedes the first. */
export function blockOf(hook: HookPoint, { layers }: Pick<ModelConfig, 'layers'>): number {
  const { layer, hook: place } = parseHookPoint(hook, layers);
  return layer ?? (place === 'ln_final.hook_normalized' ? layers : -1);
}

/** The block that reads the residual stream at this hook point just as it is there; undefined for all other hook points. */
export function boundaryOf(
  hook: HookPoint,
  { layers, normPlacement }: Pick<ModelConfig, 'layers' | 'normPlacement'>,
): number | undefined {
  const { layer, hook: place } = parseHookPoint(hook, layers);
  if (layer === undefined) return undefined;
  if (place === 'hook_resid_pre') return layer;
  if (place === 'hook_normalized_resid_post') return layer + 1;
  // A norm after the sum stands between the hook point and the next block.
  return place === 'hook_resid_post' && normPlacement !== 'after' ? layer + 1 : undefined;
}

/** Throws 'bad_input' for a stretch of layers that the model doesn't have or that passes by a hook point asked for. */
export function checkStretch(
  { name, config }: Pick<LanguageModel, 'name' | 'config'>,
  tokens: Tensor2D,
  { from, until, read = [], replace = {}, readOnly }: ForwardOptions,
  cache: KeyValueCache | undefined,
): void {
  if (!from && until === undefined) return;
  const { layers, d } = config;
  const refuse = (what: string) => new LazyscopeError('bad_input', what);
  const first = from?.layer ?? 0;
  const last = until ?? layers;
  if (![first, last].every(Number.isInteger) || first < 0 || last > layers || first > last)
    throw refuse(
      `A pass from block ${first} until block ${last} is none of '${name}': it has ${layers} blocks, and the end follows the start.`,
    );
  if (cache) throw refuse('A pass over some of the blocks would leave a cache half filled: run all of them.');
  if (until !== undefined && readOnly)
    throw refuse('A pass ends before a block or after what is read, not both: leave out one of the two.');
  const shape = [...tokens.shape, d];
  if (from && from.residual.shape.join() !== shape.join())
    throw refuse(
      `The residual stream to start from has shape [${from.residual.shape.join(', ')}]; it must be [${shape.join(', ')}].`,
    );
  for (const hook of [...read, ...(Object.keys(replace) as HookPoint[])]) {
    const block = blockOf(hook, config);
    if (block < (from ? first : -1) || (until !== undefined && block >= until))
      throw refuse(
        `A pass from block ${first} until block ${last} does not come by '${hook}': run more of the blocks.`,
      );
  }
}
