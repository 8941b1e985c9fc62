import { LazyscopeError } from '../../sae/errors.ts';
import type { ServerContext } from '../context.ts';
import type { Label } from '../contract/label.ts';
import type { LabelInput } from '../contract/labels.ts';
import { runWithSeed } from './dictionaries.ts';

/**
 * Stores what a person wrote about a latent. Throws 'not_found' for a run, a seed or a latent that isn't there; an empty
 * label with an empty note, which removes an entry, may name one that no longer is.
 */
export async function setLabel(server: ServerContext, input: LabelInput): Promise<Label | null> {
  if (input.label !== '' || input.note !== '') {
    const { config } = await runWithSeed(server, input);
    if (input.latent >= config.width)
      throw new LazyscopeError(
        'not_found',
        `Run '${input.run}' has no latent ${input.latent}: its last one is ${config.width - 1}.`,
      );
  }
  const before = await server.labels.written(input);
  // A changed note leaves the label's source as it was.
  const source = before && before.label === input.label ? before.source : { kind: 'hand' as const };
  const [label] = await server.labels.write([{ ...input, source }]);
  return label;
}
