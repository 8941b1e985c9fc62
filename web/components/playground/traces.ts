/** What the pages of the playground read from an answer. */
import type { DictionaryOnText, LatentGlance, TextOnModel } from '../../../server/client.ts';
import type { LatentName } from './playgroundState.ts';

export type Trace = DictionaryOnText['traces'][number];
export type CounterpartRow = NonNullable<DictionaryOnText['counterparts']>['rows'][number];

/** The activation on every token [tokens]. */
export function activationsOf(
  trace: Pick<Trace, 'positions' | 'activations'> | null | undefined,
  tokens: number,
): number[] {
  const values = Array.from({ length: tokens }, () => 0);
  trace?.positions.forEach((position, i) => (values[position] = trace.activations[i] ?? 0));
  return values;
}

export const largestOf = (trace: Pick<Trace, 'activations'>): number => Math.max(0, ...trace.activations);

export function glanceOf(dictionary: DictionaryOnText, latent: number): LatentGlance | undefined {
  return dictionary.glances.find((glance) => glance.latent === latent);
}

/** The latents that fire in the text. By `relative`, those nearest to the largest activation they have on held-out text come first. */
export function sortedTraces(dictionary: DictionaryOnText, by: string): Trace[] {
  const firing = dictionary.traces.filter(({ positions }) => positions.length > 0);
  const silent = dictionary.traces.filter(({ positions }) => positions.length === 0);
  if (by !== 'relative') return [...firing, ...silent];
  const known = new Map(dictionary.glances.map(({ latent, maxActivation }) => [latent, maxActivation]));
  const share = (trace: Trace) => largestOf(trace) / (known.get(trace.latent) || Infinity);
  return [...firing.toSorted((a, b) => share(b) - share(a)), ...silent];
}

/** What a dictionary's text is shaded by, and why it may not be. */
export type Shown =
  | { kind: 'own'; trace: Trace }
  | { kind: 'counterpart'; row: CounterpartRow; trace: NonNullable<CounterpartRow['counterpart']> }
  | { kind: 'none'; why: 'not compared' | 'no counterpart' | 'nothing fires' | 'another dictionary' };

/** What stands for the chosen latent in dictionary `at` of the answer. */
export function shownIn(found: TextOnModel, at: number, chosen: LatentName | undefined): Shown {
  const dictionary = found.dictionaries[at]!;
  const [first] = found.dictionaries;
  const isOwn = !chosen || (chosen.run === dictionary.run && chosen.seed === dictionary.seed);
  const own = (latent: number | undefined) =>
    dictionary.traces.find((trace) => latent === undefined || trace.latent === latent);
  if (isOwn && (chosen || at === 0)) {
    const trace = own(chosen?.latent);
    return trace ? { kind: 'own', trace } : { kind: 'none', why: 'nothing fires' };
  }
  // Counterparts are known of the first dictionary's latents.
  if (chosen && (chosen.run !== first!.run || chosen.seed !== first!.seed))
    return { kind: 'none', why: 'another dictionary' };
  if (!dictionary.counterparts) return { kind: 'none', why: 'not compared' };
  const latent = chosen?.latent ?? first!.traces[0]?.latent;
  const row = dictionary.counterparts.rows.find((one) => one.latent === latent);
  return row?.counterpart
    ? { kind: 'counterpart', row, trace: row.counterpart }
    : { kind: 'none', why: 'no counterpart' };
}
