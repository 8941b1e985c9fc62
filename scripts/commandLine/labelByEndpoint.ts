/** `lazyscope label --method endpoint`: says what it would cost, and with --yes asks the endpoint. */
import { LazyscopeError } from '../../sae/errors.ts';
import type { ChatEndpoint } from '../../sae/labels/endpoint/chatEndpoint.ts';
import type { Cost, LatentQuestions } from '../../sae/labels/endpoint/labelFromEndpoint.ts';
import type { ScoredLabel } from '../../sae/labels/labelsTable.ts';
import type { DictionaryName } from '../../sae/spec/fields.ts';
import type { CommandOptionsOf } from '../../sae/spec/jobs/jobs.ts';
import { environment } from './environment.ts';
import { labelLines, vocabularyOfSubject } from './labelOutput.ts';
import type { Outcome, Session } from './runCommand.ts';

type Given = CommandOptionsOf<'label'>;

/** What is asked of one dictionary. */
interface Plan extends DictionaryName {
  questions: LatentQuestions[];
  /** Latents that this model has labelled already. */
  labelledBefore: number;
  tooFewContexts: number;
}

/** Throws 'bad_input' without an address and a model of an endpoint. */
export async function labelByEndpoint(
  session: Session,
  given: Given,
  work: readonly DictionaryName[],
): Promise<Outcome> {
  const baseUrl = given.baseUrl ?? environment.labelEndpoint.baseUrl;
  const model = given.model ?? environment.labelEndpoint.model;
  if (baseUrl === undefined || model === undefined)
    throw new LazyscopeError(
      'bad_input',
      'No endpoint is set: give --base-url and --model (or LAZYSCOPE_LABEL_BASE_URL and LAZYSCOPE_LABEL_MODEL; a key goes into LAZYSCOPE_LABEL_API_KEY).',
    );
  const chat = await import('../../sae/labels/endpoint/chatEndpoint.ts');
  const endpoint = new chat.ChatEndpoint({
    baseUrl,
    model,
    key: environment.labelEndpoint.key,
    requestsPerMinute: given.requestsPerMinute,
    timeoutSeconds: given.timeout,
    retries: given.retries,
    signal: session.signal,
    onRetry: (why, seconds) => session.say(`Endpoint: ${why}; again in ${seconds.toFixed(0)} s.`),
  });
  await session.startBackend();
  const plans: Plan[] = [];
  for (const dictionary of work) plans.push(await planOf(session, given, dictionary, model));
  const cost = await estimate(plans, given);
  const { host } = new URL(baseUrl);
  const lines = costLines(cost, model, host, plans);
  if (!given.yes)
    return {
      document: { started: false, model, host, cost, plans: plans.map(described) },
      text: [...lines, 'Nothing was sent: add --yes to start.'].join('\n'),
    };
  for (const line of lines) session.say(line);
  const labelled: (DictionaryName & { labels: ScoredLabel[]; withoutAnswer: number })[] = [];
  for (const plan of plans) labelled.push(await ask(session, endpoint, model, plan));
  return {
    document: {
      started: true,
      model,
      host,
      cost,
      requests: endpoint.requests,
      plans: plans.map(described),
      labelled,
    },
    text: labelled
      .map(({ run, seed, labels, withoutAnswer }) =>
        [
          `${run}/${seed}: ${labels.length} labelled${withoutAnswer > 0 ? `, ${withoutAnswer} without an answer` : ''}.`,
          ...labelLines(labels),
        ].join('\n'),
      )
      .join('\n\n'),
  };
}

async function planOf(
  session: Session,
  given: Given,
  dictionary: DictionaryName,
  model: string,
): Promise<Plan> {
  const { store, report, signal } = session;
  const { openLabelText, latentsToLabel } = await import('../../sae/labels/openLabelText.ts');
  const { questionsOf } = await import('../../sae/labels/endpoint/labelFromEndpoint.ts');
  const { mergeJournal } = await import('../../sae/labels/endpoint/labelJournal.ts');
  const { readLabels } = await import('../../sae/labels/labelsTable.ts');
  const { withLock } = await import('../../sae/store/lock.ts');
  const { run, seed } = dictionary;
  const path = store.automaticLabels(run, seed, 'endpoint');
  await withLock(store.runSeed(run, seed), 'label', () => mergeJournal(store.labelJournal(run, seed), path));
  const before = new Set(
    (await readLabels(path)).filter((label) => label.model === model).map(({ latent }) => latent),
  );
  const subject = await openLabelText({ store, run, seed, report, signal });
  try {
    const { latents, tooFewContexts } = latentsToLabel(subject, { top: given.top, only: given.latents });
    const vocabulary = await vocabularyOfSubject(session, subject);
    const fresh = latents.filter((latent) => !before.has(latent));
    const questions = fresh.flatMap(
      (latent) => questionsOf(subject, latent, { vocabulary, scoredContexts: given.scoredContexts }) ?? [],
    );
    return {
      run,
      seed,
      questions,
      labelledBefore: latents.length - fresh.length,
      tooFewContexts: tooFewContexts + fresh.length - questions.length,
    };
  } finally {
    subject.close();
  }
}

async function ask(
  { store, report, signal }: Session,
  endpoint: ChatEndpoint,
  model: string,
  { run, seed, questions }: Plan,
) {
  const { labelFromEndpoint } = await import('../../sae/labels/endpoint/labelFromEndpoint.ts');
  const { appendToJournal, mergeJournal } = await import('../../sae/labels/endpoint/labelJournal.ts');
  const { readLabels } = await import('../../sae/labels/labelsTable.ts');
  const { withLock } = await import('../../sae/store/lock.ts');
  const path = store.automaticLabels(run, seed, 'endpoint');
  const journal = store.labelJournal(run, seed);
  const asked = new Set(questions.map(({ latent }) => latent));
  return withLock(store.runSeed(run, seed), 'label', async () => {
    let withoutAnswer = 0;
    try {
      ({ withoutAnswer } = await labelFromEndpoint({
        endpoint,
        model,
        questions,
        done: (label) => appendToJournal(journal, label),
        report,
        signal,
      }));
    } finally {
      // What was paid for is kept, whatever ended it.
      await mergeJournal(journal, path);
    }
    const labels = (await readLabels(path)).filter(
      (label) => label.model === model && asked.has(label.latent),
    );
    return { run, seed, labels, withoutAnswer };
  });
}

type Estimate = Cost & { price: number | null };

async function estimate(plans: readonly Plan[], { promptPrice, answerPrice }: Given): Promise<Estimate> {
  if ((promptPrice === undefined) !== (answerPrice === undefined))
    throw new LazyscopeError(
      'bad_input',
      'A price needs both --prompt-price and --answer-price: give the other one too, 0 if it is free.',
    );
  const { costOf } = await import('../../sae/labels/endpoint/labelFromEndpoint.ts');
  const cost = costOf(plans.flatMap(({ questions }) => questions));
  const price =
    promptPrice === undefined || answerPrice === undefined
      ? null
      : (cost.promptTokens * promptPrice + cost.answerTokens * answerPrice) / 1e6;
  return { ...cost, price };
}

function costLines(cost: Estimate, model: string, host: string, plans: readonly Plan[]): string[] {
  const sum = (of: (plan: Plan) => number) => plans.reduce((total, plan) => total + of(plan), 0);
  const skipped = [
    [sum(({ labelledBefore }) => labelledBefore), 'labelled by this model before'] as const,
    [sum(({ tooFewContexts }) => tooFewContexts), 'with too few contexts'] as const,
  ].filter(([latents]) => latents > 0);
  return [
    `${cost.latents} latents, ${cost.requests} requests to ${model} at ${host}: about ${cost.promptTokens} tokens of prompts and at most ${cost.answerTokens} of answers${cost.price === null ? '' : `, about ${cost.price.toPrecision(3)} in the currency of the prices given`}.`,
    ...(skipped.length > 0
      ? [`Left out: ${skipped.map(([latents, why]) => `${latents} ${why}`).join(', ')}.`]
      : []),
  ];
}

function described({ run, seed, questions, labelledBefore, tooFewContexts }: Plan) {
  return { run, seed, latents: questions.length, labelledBefore, tooFewContexts };
}
