import { LazyscopeError } from '../../sae/errors.ts';

/** The one of `names` that was given for an option; throws `bad_input` naming them all. */
export function oneOf<const Name extends string>(
  option: string,
  given: string,
  names: readonly Name[],
): Name {
  const known = names.find((name) => name === given);
  if (known !== undefined) return known;
  throw new LazyscopeError('bad_input', `${option} ${given}: choose one of ${names.join(', ')}.`);
}
