/**
 * The contexts by which a latent is labelled, and others by which its label is scored. A context is a stretch of held-out text as the examples
 * of the feature index are: 16 tokens on either side of one token. Active ones are the latent's examples, each from another context of the capture;
 * inactive ones are drawn at random among the stretches in which it is active nowhere. Both kinds are divided into a half that labels are made
 * from and a half for scores, and no context of the capture has a part in both.
 */
import type { Capture } from '../activations/openCapture.ts';
import { chooseExamples } from '../features/chooseExamples.ts';
import type { FiringsByLatent } from '../features/collectFirings.ts';
import { windowTokens } from '../features/examplesTable.ts';
import { Random } from '../numerics/random.ts';

/** A stretch of text. */
export interface LabelContext {
  /** Number of the context in the capture. */
  context: number;
  /** Position of the first token in its context. */
  start: number;
  /** Tokens of the stretch. */
  length: number;
  /** [length]: the latent's activation, 0 everywhere in an inactive stretch. */
  activations: Float32Array;
  /** [length]: 1 for tokens whose rows count; others are before the capture's first position, or left out. */
  counted: Uint8Array;
  /** Index of its strongest token; of an inactive stretch, the token that it was drawn around. */
  peak: number;
}

export interface ContextHalf {
  active: LabelContext[];
  inactive: LabelContext[];
}

export interface LabelContexts {
  /** What a label may be made from. */
  given: ContextHalf;
  /** What only scores may see. */
  heldOut: ContextHalf;
}

/** The text that contexts are drawn from. */
export interface LabelText {
  capture: Pick<Capture, 'manifest' | 'tokens' | 'rowsPerContext' | 'trainRows' | 'heldOutRows'>;
  /** 1 for each held-out row that is left out [heldOutRows]. */
  excluded: Uint8Array;
  firings: FiringsByLatent;
}

/** Inactive contexts of each half. */
export const inactiveContexts = 50;
/** Draws for one inactive context before there are held to be no more. */
const patience = 40;

/** Contexts of each kind that each half needs for a label and its score. */
export const leastContexts = 3;

/** Whether there is enough to make a label from, and to score it on. */
export function hasEnoughContexts({ given, heldOut }: LabelContexts): boolean {
  return [given, heldOut].every(
    ({ active, inactive }) => active.length >= leastContexts && inactive.length >= leastContexts,
  );
}

/** The same for the same text and latent each time. Halves of rare or very frequent latents have fewer contexts, down to none. */
export function labelContexts(text: LabelText, latent: number): LabelContexts {
  const random = Random.fromSeed(latent, 'contexts of labels');
  const { rowsPerContext } = text.capture;
  const peaks = new Map<number, number>();
  for (const { firing } of chooseExamples(text.firings, latent, rowsPerContext)) {
    const row = text.firings.rows[firing];
    const context = Math.floor(row / rowsPerContext);
    if (!peaks.has(context)) peaks.set(context, row);
  }
  const rows = [...peaks.values()];
  const order = [...random.permutation(rows.length)].map((at) => rows[at]);
  const half = Math.ceil(order.length / 2);
  const given = order.slice(0, half).map((row) => contextAround(text, latent, row));
  const heldOut = order.slice(half).map((row) => contextAround(text, latent, row));
  const inactive = drawInactive(text, latent, random, { given, heldOut });
  return {
    given: { active: given, inactive: inactive.given },
    heldOut: { active: heldOut, inactive: inactive.heldOut },
  };
}

function drawInactive(
  text: LabelText,
  latent: number,
  random: Random,
  active: Record<'given' | 'heldOut', readonly LabelContext[]>,
): Record<'given' | 'heldOut', LabelContext[]> {
  const { rowsPerContext } = text.capture;
  const rows = Math.floor(text.excluded.length / rowsPerContext) * rowsPerContext;
  const used = {
    given: new Set(active.given.map(({ context }) => context)),
    heldOut: new Set(active.heldOut.map(({ context }) => context)),
  };
  const drawn: Record<'given' | 'heldOut', LabelContext[]> = { given: [], heldOut: [] };
  const taken = new Set<number>();
  const draws = rows === 0 ? 0 : 2 * inactiveContexts * patience;
  for (let draw = 0; draw < draws; draw++) {
    const side = drawn.given.length <= drawn.heldOut.length ? 'given' : 'heldOut';
    if (drawn[side].length >= inactiveContexts) break;
    const row = random.below(rows);
    if (taken.has(row) || text.excluded[row] === 1) continue;
    const stretch = contextAround(text, latent, row);
    const other = side === 'given' ? used.heldOut : used.given;
    if (other.has(stretch.context) || stretch.activations.some((value) => value > 0)) continue;
    taken.add(row);
    used[side].add(stretch.context);
    drawn[side].push(stretch);
  }
  return drawn;
}

/** The stretch around a held-out row, with the latent's activations in it. */
function contextAround({ capture, excluded, firings }: LabelText, latent: number, row: number): LabelContext {
  const { contextLength, firstPosition, contexts, heldOutContexts } = capture.manifest;
  const inHeldOut = Math.floor(row / capture.rowsPerContext);
  const firstRow = inHeldOut * capture.rowsPerContext;
  const position = row - firstRow + firstPosition;
  const start = Math.max(0, position - windowTokens);
  const end = Math.min(contextLength, position + windowTokens + 1);
  const activations = new Float32Array(end - start);
  const counted = new Uint8Array(end - start);
  for (let at = Math.max(start, firstPosition); at < end; at++)
    counted[at - start] = 1 - excluded[firstRow + at - firstPosition];
  const from = firstRow + Math.max(start, firstPosition) - firstPosition;
  const to = firstRow + end - firstPosition;
  for (let firing = firstFiring(firings, latent, from); firing < firings.start[latent + 1]; firing++) {
    if (firings.rows[firing] >= to) break;
    activations[firings.rows[firing] - firstRow + firstPosition - start] = firings.values[firing];
  }
  return {
    context: contexts - heldOutContexts + inHeldOut,
    start,
    length: end - start,
    activations,
    counted,
    peak: position - start,
  };
}

/** The first of a latent's firings at a row or after it. */
function firstFiring({ start, rows }: FiringsByLatent, latent: number, row: number): number {
  let low = start[latent];
  let high = start[latent + 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle] < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Places of the tokens of a stretch that count, as indices into the stretch. */
export function countedPlaces({ counted }: LabelContext): number[] {
  const places: number[] = [];
  for (let at = 0; at < counted.length; at++) if (counted[at] === 1) places.push(at);
  return places;
}

/** Places of the tokens on which the latent is active. */
export function activePlaces({ activations }: LabelContext): number[] {
  const places: number[] = [];
  for (let at = 0; at < activations.length; at++) if (activations[at] > 0) places.push(at);
  return places;
}

/**
 * Marked tokens for fuzzing: in active contexts those on which the latent is active, in inactive ones as many as an active one has on
 * average, drawn at random among those that count.
 */
export function markedPlaces({ active, inactive }: ContextHalf, latent: number): ContextMarks {
  const random = Random.fromSeed(latent, 'marks of labels');
  const right = active.map(activePlaces);
  const mean = right.reduce((sum, { length }) => sum + length, 0) / Math.max(1, right.length);
  const wrong = inactive.map((context) => {
    const places = countedPlaces(context);
    const order = random.permutation(places.length);
    return [...order]
      .slice(0, Math.max(1, Math.round(mean)))
      .map((at) => places[at])
      .sort((a, b) => a - b);
  });
  return { active: right, inactive: wrong };
}

/** [contexts]: the marked places of each context. */
export interface ContextMarks {
  active: number[][];
  inactive: number[][];
}
