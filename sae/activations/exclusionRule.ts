/**
 * Which rows of a capture are left out of training and of figures. In language models the first token of a context and a
 * few others have activations tens to hundreds of times as long as the rest ("massive activations", Sun et al.,
 * 2402.17762; attention sinks, Xiao et al., 2309.17453). A handful of such rows can hold most of the variance, and then
 * every scale, geometric median, loss and FVU is about them (METHODS.md §6).
 *
 * A rule is written as a list: `special` leaves out the tokenizer's special tokens, `position:N` the positions before N
 * of each context, `norm:M` rows whose norm exceeds M times the median of the hook point; `none` leaves nothing out.
 */
import { LazyscopeError } from '../errors.ts';

export interface ExclusionRule {
  readonly special: boolean;
  /** Positions before this one are left out; 0 leaves them in. */
  readonly position: number;
  /** A multiple of the median norm; null where norms do not matter. */
  readonly norm: number | null;
}

export const excludesNothing: ExclusionRule = { special: false, position: 0, norm: null };

/** Throws `bad_input` for what is no rule. */
export function parseExclusionRule(text: string): ExclusionRule {
  const refuse = (part: string) =>
    new LazyscopeError(
      'bad_input',
      `'${part}' leaves out no rows: give 'none', or a list of 'special', 'position:N' and 'norm:M', for example 'special,norm:10'.`,
    );
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length === 1 && parts[0] === 'none') return excludesNothing;
  let rule = excludesNothing;
  for (const part of parts) {
    const [kind, value] = part.split(':');
    const number = value === undefined || value.trim() === '' ? NaN : Number(value);
    if (kind === 'special' && value === undefined) rule = { ...rule, special: true };
    else if (kind === 'position' && Number.isSafeInteger(number) && number >= 1)
      rule = { ...rule, position: number };
    else if (kind === 'norm' && Number.isFinite(number) && number > 1) rule = { ...rule, norm: number };
    else throw refuse(part);
  }
  return rule;
}

/** As `parseExclusionRule` reads it. */
export function printExclusionRule({ special, position, norm }: ExclusionRule): string {
  const parts = [
    ...(special ? ['special'] : []),
    ...(position > 0 ? [`position:${position}`] : []),
    ...(norm === null ? [] : [`norm:${norm}`]),
  ];
  return parts.length === 0 ? 'none' : parts.join(',');
}

/** Leaves out what either rule leaves out, as far as one rule can say it. */
export function strictest(a: ExclusionRule, b: ExclusionRule): ExclusionRule {
  const norm = Math.min(a.norm ?? Infinity, b.norm ?? Infinity);
  return {
    special: a.special || b.special,
    position: Math.max(a.position, b.position),
    norm: Number.isFinite(norm) ? norm : null,
  };
}
