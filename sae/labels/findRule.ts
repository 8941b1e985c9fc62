/** Finds the rule that fits a latent's contexts best, and scores rules on contexts that they were not found in. */
import type { LabelCounts } from '../spec/labelSources.ts';
import { countedPlaces, markedPlaces, type ContextHalf, type LabelContext } from './labelContexts.ts';
import { candidateRules, placeAt, tokenRule, type Rule, type RuleText, type TokenPlace } from './rules.ts';

/** Tokens that one rule names at most. */
const mostTokens = 5;
/** What each further part of a rule has to add to its fit. */
const costOfPart = 0.01;
/** A rule that fits worse in the contexts that it was found in says nothing. Chance fits 0.5 of them. */
export const leastFit = 0.65;

/**
 * The fit of a rule: the mean of the share of active contexts at whose strongest token it holds, and of the share of inactive contexts in which it
 * holds nowhere. It is the balanced accuracy of a stricter detection, which asks for the right token.
 */
interface Fit {
  rule: Rule;
  fit: number;
}

/** Null where no rule fits as well as `least`. `half` must not hold the contexts that the rule will be scored on. */
export function findRule(
  text: RuleText,
  half: ContextHalf,
  { promoted, least = leastFit }: { promoted: readonly number[]; least?: number },
): Rule | null {
  if (half.active.length === 0 || half.inactive.length === 0) return null;
  const peaks = half.active.map((context) => placeAt(text, context, context.peak));
  const inactive = half.inactive.map((context) => placesOf(text, context));
  const fitOf = (rule: Rule): Fit => ({ rule, fit: fitOfRule(rule, peaks, inactive) });
  const candidates = candidateRules(text, peaks, promoted).map(fitOf);
  candidates.push(...tokenSets(text, peaks, fitOf));
  const worth = ({ rule, fit }: Fit) => fit - costOfPart * rule.parts;
  let best: Fit | undefined;
  for (const one of candidates) if (!best || worth(one) > worth(best) + 1e-12) best = one;
  return best && best.fit >= least ? best.rule : null;
}

/** Sets of tokens that grow by the commonest token as long as that pays. */
function tokenSets(text: RuleText, peaks: readonly TokenPlace[], fitOf: (rule: Rule) => Fit): Fit[] {
  const counts = new Map<number, number>();
  for (const { id } of peaks) counts.set(id, (counts.get(id) ?? 0) + 1);
  const ids = [...counts]
    .filter(([, count]) => count > 1)
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .map(([id]) => id);
  const sets: Fit[] = [];
  for (let count = 2; count <= Math.min(mostTokens, ids.length); count++)
    sets.push(fitOf(tokenRule(text, ids.slice(0, count))));
  return sets;
}

function fitOfRule(
  rule: Rule,
  peaks: readonly TokenPlace[],
  inactive: readonly (readonly TokenPlace[])[],
): number {
  const hits = peaks.filter((place) => rule.holds(place)).length;
  const rejections = inactive.filter((places) => !places.some((place) => rule.holds(place))).length;
  return (hits / peaks.length + rejections / inactive.length) / 2;
}

function placesOf(text: RuleText, context: LabelContext): TokenPlace[] {
  return countedPlaces(context).map((at) => placeAt(text, context, at));
}

/** Detection with a rule for the judge: a context is judged active where the rule holds on any of its tokens. */
export function ruleDetection(text: RuleText, rule: Rule, { active, inactive }: ContextHalf): LabelCounts {
  const judged = (context: LabelContext) => placesOf(text, context).some((place) => rule.holds(place));
  return countsOf(active.map(judged), inactive.map(judged));
}

/** Fuzzing with a rule for the judge: marks are judged to be right where the rule holds on one of them. */
export function ruleFuzzing(text: RuleText, rule: Rule, half: ContextHalf, latent: number): LabelCounts {
  const marks = markedPlaces(half, latent);
  const judged = (context: LabelContext, places: readonly number[]) =>
    places.some((at) => rule.holds(placeAt(text, context, at)));
  return countsOf(
    half.active.map((context, i) => judged(context, marks.active[i])),
    half.inactive.map((context, i) => judged(context, marks.inactive[i])),
  );
}

/** Counts of judgements on active and on inactive contexts; null for one that could not be read. */
export function countsOf(
  active: readonly (boolean | null)[],
  inactive: readonly (boolean | null)[],
): LabelCounts {
  const given = (judged: readonly (boolean | null)[]) => judged.filter((each) => each !== null);
  const [positives, negatives] = [given(active), given(inactive)];
  return {
    positives: positives.length,
    truePositives: positives.filter(Boolean).length,
    negatives: negatives.length,
    trueNegatives: negatives.filter((each) => !each).length,
    unanswered: active.length + inactive.length - positives.length - negatives.length,
  };
}
