import { LazyscopeError } from '../../sae/errors.ts';
import type { ServerContext } from '../context.ts';
import type { FeatureList, ListMembersInput } from '../contract/lists.ts';
import { missingLatents } from './missingLatents.ts';

/** Adds features to a list, which is made where it isn't there. Throws 'not_found' for a feature that doesn't exist, and adds none then. */
export async function addToList(server: ServerContext, input: ListMembersInput): Promise<FeatureList> {
  const missing = (await missingLatents(server, input.features)).find((why) => why !== undefined);
  if (missing !== undefined)
    throw new LazyscopeError('not_found', `Nothing was added to '${input.name}': ${missing}.`);
  return server.lists.add(input);
}
