/** Labels that a language model behind an endpoint writes, scored by the same model on contexts that it wasn't shown. */
import { LazyscopeError } from '../../errors.ts';
import { Random } from '../../numerics/random.ts';
import { pause } from '../../pause.ts';
import { silent, type Report } from '../../progress.ts';
import type { LabelCounts } from '../../spec/labelSources.ts';
import { countsOf } from '../findRule.ts';
import {
  activePlaces,
  hasEnoughContexts,
  labelContexts,
  markedPlaces,
  type LabelContext,
} from '../labelContexts.ts';
import type { AutomaticLabel } from '../labelsTable.ts';
import type { LabelSubject } from '../openLabelText.ts';
import type { ChatEndpoint, ChatMessage } from './chatEndpoint.ts';
import {
  contextsAtOnce,
  excerpt,
  explanationMessages,
  judgementMessages,
  judgementTokens,
  labelTokens,
  readJudgement,
  readLabel,
  shownContexts,
  type Judgement,
} from './prompts.ts';

/** Everything that is asked about one latent, before the label is known. */
export interface LatentQuestions {
  latent: number;
  explanation: ChatMessage[];
  judgements: Record<Judgement, { excerpt: string; active: boolean }[]>;
}

/** Null for a latent with too few contexts. */
export function questionsOf(
  subject: LabelSubject,
  latent: number,
  { vocabulary, scoredContexts }: { vocabulary: readonly (string | null)[]; scoredContexts: number },
): LatentQuestions | null {
  const contexts = labelContexts(subject, latent);
  if (!hasEnoughContexts(contexts)) return null;
  const { given, heldOut } = contexts;
  const { contextLength } = subject.capture.manifest;
  const write = (context: LabelContext, marked?: readonly number[]) => {
    const from = context.context * contextLength + context.start;
    const texts = Array.from(
      subject.capture.tokens.subarray(from, from + context.length),
      (id) => vocabulary[id] ?? '',
    );
    return excerpt(texts, context, marked);
  };
  const each = Math.floor(scoredContexts / 2);
  const scored = { active: heldOut.active.slice(0, each), inactive: heldOut.inactive.slice(0, each) };
  const marks = markedPlaces(scored, latent);
  const shuffled = <Item>(items: readonly Item[], stream: string) =>
    [...Random.fromSeed(latent, stream).permutation(items.length)].map((at) => items[at]);
  const judged = (kind: Judgement) =>
    shuffled(
      (['active', 'inactive'] as const).flatMap((side) =>
        scored[side].map((context, i) => ({
          excerpt: write(context, kind === 'fuzzing' ? marks[side][i] : []),
          active: side === 'active',
        })),
      ),
      kind,
    );
  const strongest = [...given.active].sort((a, b) => b.activations[b.peak] - a.activations[a.peak]);
  return {
    latent,
    explanation: explanationMessages(
      strongest.slice(0, shownContexts).map((context) => write(context, activePlaces(context))),
    ),
    judgements: { detection: judged('detection'), fuzzing: judged('fuzzing') },
  };
}

export interface Cost {
  latents: number;
  requests: number;
  promptTokens: number;
  answerTokens: number;
}

/** Characters of a token, on average over English text. */
const charactersOfToken = 4;
/** Characters of a label, for the estimate. */
const typicalLabel = 60;

/** An estimate of what the questions cost: prompts at four characters a token, answers at their most. */
export function costOf(questions: Iterable<LatentQuestions>): Cost {
  const cost: Cost = { latents: 0, requests: 0, promptTokens: 0, answerTokens: 0 };
  const add = (messages: readonly ChatMessage[], answerTokens: number) => {
    cost.requests++;
    const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
    cost.promptTokens += Math.ceil(characters / charactersOfToken);
    cost.answerTokens += answerTokens;
  };
  for (const { explanation, judgements } of questions) {
    cost.latents++;
    add(explanation, labelTokens);
    for (const kind of ['detection', 'fuzzing'] as const)
      for (const batch of batchesOf(judgements[kind]))
        add(
          judgementMessages(kind, 'x'.repeat(typicalLabel), batch.map((one) => one.excerpt)), // prettier-ignore
          judgementTokens,
        );
  }
  return cost;
}

function batchesOf<Item>(items: readonly Item[]): Item[][] {
  const batches: Item[][] = [];
  for (let from = 0; from < items.length; from += contextsAtOnce)
    batches.push(items.slice(from, from + contextsAtOnce));
  return batches;
}

/**
 * Asks about one latent after another, and gives each label to `done` as soon as it is scored. Returns how many got an empty answer. Throws as
 * `ChatEndpoint.ask` does.
 */
export async function labelFromEndpoint(options: {
  endpoint: Pick<ChatEndpoint, 'ask'>;
  model: string;
  questions: readonly LatentQuestions[];
  done: (label: AutomaticLabel) => Promise<void>;
  report?: Report;
  signal?: AbortSignal | undefined;
}): Promise<{ withoutAnswer: number }> {
  const { endpoint, model, questions, done, report = silent, signal } = options;
  let withoutAnswer = 0;
  for (const [at, { latent, explanation, judgements }] of questions.entries()) {
    await pause(signal, 'labelling');
    const label = readLabel(await endpoint.ask(explanation, labelTokens));
    if (label === null) withoutAnswer++;
    else {
      const detection = await judge(endpoint, 'detection', label, judgements.detection);
      const fuzzing = await judge(endpoint, 'fuzzing', label, judgements.fuzzing);
      await done({ latent, label, model, createdAt: new Date().toISOString(), detection, fuzzing });
    }
    report({ stage: 'label: endpoint', done: at + 1, total: questions.length, unit: 'latents' });
  }
  if (questions.length > 0 && withoutAnswer === questions.length)
    throw new LazyscopeError(
      'unavailable',
      'The endpoint answered every question with an empty text: try another model.',
    );
  return { withoutAnswer };
}

async function judge(
  endpoint: Pick<ChatEndpoint, 'ask'>,
  kind: Judgement,
  label: string,
  asked: LatentQuestions['judgements'][Judgement],
): Promise<LabelCounts> {
  const judged: { active: boolean; judgement: boolean | null }[] = [];
  for (const batch of batchesOf(asked)) {
    const messages = judgementMessages(kind, label, batch.map((one) => one.excerpt)); // prettier-ignore
    const judgements = readJudgement(await endpoint.ask(messages, judgementTokens), batch.length);
    for (const [i, { active }] of batch.entries()) judged.push({ active, judgement: judgements[i] });
  }
  const of = (side: boolean) =>
    judged.filter(({ active }) => active === side).map(({ judgement }) => judgement);
  return countsOf(of(true), of(false));
}
