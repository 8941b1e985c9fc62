/** Rules that were planted must be found; latents that are active at random must get no more than chance. */
import { expect, test } from 'vitest';
import { Random } from '../numerics/random.ts';
import type { LabelCounts } from '../spec/labelSources.ts';
import { findRule, ruleDetection } from './findRule.ts';
import { labelContexts, markedPlaces, activePlaces, type LabelText } from './labelContexts.ts';
import { labelFromData } from './labelFromData.ts';
import type { LabelSubject } from './openLabelText.ts';
import { TokenBook } from './tokenFacts.ts';

const words = [
  '<s>', ' whale', ' Whale', 'whale', ' unhappy', ' undone', ' unseen', ' united', ' walking', ' singing', ' ringing',
  ' he', ' she', ' they', ',', '.', '\n', '7', ' 42', ' London', ' Paris', ' ocean', ' a', ' the', ' of', ' sea', ' boat',
  ' captain', ' old', ' man', ' ship', ' wind', ' rope', ' sail', ' deck', ' mast', ' crew', ' storm', '\n\n',
]; // prettier-ignore
const vocabulary = [...words, ...Array.from({ length: 300 }, (_, i) => ` filler${i}`), null];
const id = (text: string) => vocabulary.indexOf(text);
const contextLength = 48;
const contexts = 500;
const heldOutContexts = 400;
const firstPosition = 1;
const rowsPerContext = contextLength - firstPosition;
/** Text of the first `kinds` tokens of the vocabulary, all equally frequent, with the separator at the start of each context. */
function textOf(kinds: number): Int32Array {
  const random = Random.fromSeed(3, 'text of rules');
  return Int32Array.from({ length: contexts * contextLength }, (_, at) =>
    at % contextLength === 0 ? 0 : 1 + random.below(kinds - 1),
  );
}
const allTokens = textOf(vocabulary.length - 1);

interface Place {
  id: number;
  before: number;
  after: number;
  position: number;
}
type Planted = (place: Place) => boolean;

/** Latents that are active where they are planted, on a share of these tokens; never on rows that are left out. */
function subjectOf(
  planted: readonly Planted[],
  {
    share = 1,
    excluded = new Uint8Array(heldOutContexts * rowsPerContext),
    tokens = allTokens,
  }: { share?: number; excluded?: Uint8Array; tokens?: Int32Array } = {},
): LabelSubject {
  const start = [0];
  const rows: number[] = [];
  const values: number[] = [];
  for (const [latent, holds] of planted.entries()) {
    const thinned = Random.fromSeed(latent, 'thinned');
    for (let row = 0; row < heldOutContexts * rowsPerContext; row++) {
      const context = contexts - heldOutContexts + Math.floor(row / rowsPerContext);
      const position = firstPosition + (row % rowsPerContext);
      const at = context * contextLength + position;
      const place = {
        id: tokens[at],
        before: tokens[at - 1],
        after: position + 1 < contextLength ? tokens[at + 1] : -1,
        position,
      };
      const draw = thinned.uniform();
      if (excluded[row] === 1 || !holds(place) || draw > share) continue;
      rows.push(row);
      values.push(1 + draw);
    }
    start.push(rows.length);
  }
  const firings = {
    tokens: excluded.length, latents: planted.length, start: Uint32Array.from(start), rows: Uint32Array.from(rows), values: Float32Array.from(values),
  }; // prettier-ignore
  return {
    capture: {
      manifest: { contexts, heldOutContexts, contextLength, firstPosition },
      tokens, rowsPerContext, trainRows: (contexts - heldOutContexts) * rowsPerContext, heldOutRows: heldOutContexts * rowsPerContext,
    } as LabelSubject['capture'],
    excluded, firings, run: 'planted', seed: 0, latents: planted.length,
    firingCounts: Uint32Array.from(planted, (_, latent) => start[latent + 1] - start[latent]),
    promoted: (latent) => (latent === promoting ? [id(' ocean'), id(' sea')] : []),
    close: () => {},
  }; // prettier-ignore
}

const promoting = 9;
const textIs =
  (...texts: string[]) =>
  (place: Place) =>
    texts.includes(vocabulary[place.id] ?? '');
const plantedRules: [string, Planted][] = [
  ["token ' whale'", textIs(' whale')],
  ["word 'whale' in any spelling", textIs(' whale', ' Whale', 'whale')],
  ['words beginning with un-', textIs(' unhappy', ' undone', ' unseen', ' united')],
  ['words ending in -ing', (place) => textIs(' walking', ' singing', ' ringing')(place) && place.after !== id('whale')],
  ['first position', ({ position }) => position === 1],
  ['after a comma', ({ before }) => before === id(',')],
  ['digits', textIs('7', ' 42')],
  ["tokens ' old', ' man'", textIs(' old', ' man')],
  ["before ' captain'", ({ after }) => after === id(' captain')],
  ["promotes ' ocean', ' sea': the next token is one of the 2 that it promotes", ({ after }) => after === id(' ocean') || after === id(' sea')],
  ['line breaks', textIs('\n', '\n\n')],
]; // prettier-ignore

const all = (subject: LabelSubject) => [...subject.firingCounts.keys()];

test('each planted rule is the label, and tells marked tokens of held-out contexts as well as it can', async () => {
  const subject = subjectOf(plantedRules.map(([, holds]) => holds));
  const { labels, unlabelled } = await labelFromData({ subject, latents: all(subject), vocabulary });
  const found = labels.map(({ latent, label }) => [latent, label]);
  const sorted = (text: string) =>
    text
      .replace(/^tokens /, '')
      .split(', ')
      .sort()
      .join(', ');
  for (const [latent, label] of found as [number, string][])
    expect(sorted(label)).toBe(sorted(plantedRules[latent][0]));
  expect(unlabelled).toEqual({ tooFewContexts: 0, noRule: plantedRules.length - labels.length });
  for (const { detection, fuzzing } of labels) {
    // The rule holds in every context in which the latent is active: no positive is missed, in either.
    expect(detection!.truePositives).toBe(detection!.positives);
    expect(fuzzing!.truePositives).toBe(fuzzing!.positives);
  }
  expect(labels.length).toBe(plantedRules.length);
});

test('labels are the same each time, and of some latents alone the same as among all', async () => {
  const subject = subjectOf(plantedRules.map(([, holds]) => holds));
  const of = async (latents: number[]) =>
    (await labelFromData({ subject, latents, vocabulary })).labels.map((one) => ({ ...one, createdAt: '' }));
  const whole = await of(all(subject));
  expect(await of(all(subject))).toEqual(whole);
  expect(await of([2, 6])).toEqual(whole.filter(({ latent }) => latent === 2 || latent === 6));
});

const balancedAccuracy = ({ positives, truePositives, negatives, trueNegatives }: LabelCounts) =>
  (truePositives / positives + trueNegatives / negatives) / 2;

test('the best rules for latents that are active at random fit where they were found, and get chance on other contexts', () => {
  // So few kinds of tokens that some stand at several peaks by chance.
  const tokens = textOf(words.length);
  const subject = subjectOf(
    Array.from({ length: 100 }, () => () => true),
    { share: 0.001, tokens },
  );
  const text = { tokens, contextLength, firstPosition, book: new TokenBook(vocabulary) };
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const found = all(subject).flatMap((latent) => {
    const { given, heldOut } = labelContexts(subject, latent);
    const rule = findRule(text, given, { promoted: [], least: 0 });
    if (!rule) return [];
    const accuracy = (half: typeof given) => balancedAccuracy(ruleDetection(text, rule, half));
    return { fitted: accuracy(given), scored: accuracy(heldOut) };
  });
  const scores = found.map(({ scored }) => scored);
  const error = Math.sqrt(mean(scores.map((value) => (value - mean(scores)) ** 2)) / scores.length);
  expect(scores.length).toBeGreaterThan(70);
  expect(Math.abs(mean(scores) - 0.5)).toBeLessThan(3 * error);
  expect(mean(found.map(({ fitted }) => fitted))).toBeGreaterThan(0.5 + 5 * error);
});

test('no context of the capture is both what a label is made from and what it is scored on', () => {
  const subject = subjectOf(plantedRules.map(([, holds]) => holds));
  for (const latent of all(subject)) {
    const { given, heldOut } = labelContexts(subject, latent);
    const seen = new Set([...given.active, ...given.inactive].map(({ context }) => context));
    for (const { context } of [...heldOut.active, ...heldOut.inactive]) expect(seen.has(context)).toBe(false);
    expect(heldOut.active.length).toBeGreaterThan(5);
    expect(heldOut.inactive.length).toBe(50);
    for (const { activations } of heldOut.inactive)
      expect(activations.every((value) => value === 0)).toBe(true);
    for (const one of heldOut.active) expect(one.activations[one.peak]).toBe(Math.max(...one.activations));
  }
});

test('rows that are left out are neither drawn around nor judged', () => {
  const excluded = new Uint8Array(heldOutContexts * rowsPerContext);
  for (let row = 0; row < excluded.length; row += 2) excluded[row] = 1;
  const text: LabelText = subjectOf([textIs(' whale')], { excluded });
  const { heldOut } = labelContexts(text, 0);
  for (const { counted, activations, peak } of [...heldOut.active, ...heldOut.inactive]) {
    expect(counted[peak]).toBe(1);
    expect([...counted].some((one, at) => one === 0 && activations[at] > 0)).toBe(false);
    expect([...counted].filter((one) => one === 0).length).toBeGreaterThan(5);
  }
});

test('wrong marks are as many as right ones on average, on tokens that count', () => {
  const subject = subjectOf([textIs(' he', ' she', ' they', ',', '.')]);
  const { heldOut } = labelContexts(subject, 0);
  const marks = markedPlaces(heldOut, 0);
  expect(marks.active).toEqual(heldOut.active.map(activePlaces));
  const mean = marks.active.reduce((sum, { length }) => sum + length, 0) / marks.active.length;
  for (const [i, places] of marks.inactive.entries()) {
    expect(places.length).toBe(Math.round(mean));
    expect(places.every((at) => heldOut.inactive[i].counted[at] === 1)).toBe(true);
  }
});

test('a latent that is active everywhere, or in two contexts, gets no label, and is counted with the reason', async () => {
  const subject = subjectOf([() => true, ({ id: at }) => at === id(' whale')]);
  const rare = { ...subject, firings: { ...subject.firings, start: Uint32Array.from([0, subject.firings.start[1], subject.firings.start[1] + 2]) } }; // prettier-ignore
  const { labels, unlabelled } = await labelFromData({ subject: rare, latents: [0, 1], vocabulary });
  expect(labels).toEqual([]);
  expect(unlabelled).toEqual({ tooFewContexts: 2, noRule: 0 });
});
