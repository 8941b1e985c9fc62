/** `lazyscope label`: labels found in the data or written by an endpoint, each with a score on contexts that it was not made from. */
import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import type { AutomaticLabel, ScoredLabel } from '../../sae/labels/labelsTable.ts';
import type { LabelSubject } from '../../sae/labels/openLabelText.ts';
import type { CommandOptionsOf } from '../../sae/spec/jobs/jobs.ts';
import type { LabelScore } from '../../sae/spec/labelSources.ts';
import type { LabelMethod } from '../../sae/spec/tables/labels.ts';
import { finishedRun, seedsOf } from '../commandLine/dictionaries.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { modelFolder } from '../commandLine/models.ts';
import type { Session } from '../commandLine/runCommand.ts';
import { table } from '../commandLine/table.ts';

declare global {
  interface JobCommands {
    label: typeof run;
  }
}

type Given = CommandOptionsOf<'label'>;

/** What was done for one dictionary. */
interface Labelled {
  run: string;
  seed: number;
  method: LabelMethod;
  labelled: number;
  /** Latents that were looked at and got no label, by reason. */
  unlabelled: { inactive: number; tooFewContexts: number; noRule: number };
  labels: ScoredLabel[];
}

/** Labels that a table for people lists. */
const mostShown = 20;

export const run: JobWork<'label'> = async (session, given) => {
  const runs = await Promise.all(given.run.map((name) => finishedRun(session.store, name)));
  const work = runs.flatMap((one) => seedsOf(one, given.seed).map((seed) => ({ run: one.name, seed })));
  if (given.method === 'endpoint')
    return (await import('../commandLine/labelByEndpoint.ts')).labelByEndpoint(session, given, work);
  refuseWithoutEndpoint(given);
  await session.startBackend();
  const done: Labelled[] = [];
  for (const dictionary of work) done.push(await labelOne(session, given, dictionary));
  return { document: { labelled: done }, text: written(done) };
};

/** Options that only an endpoint heeds. */
function refuseWithoutEndpoint({ yes, baseUrl, model, promptPrice, answerPrice }: Given): void {
  const unheeded = Object.entries({
    yes,
    'base-url': baseUrl,
    model,
    'prompt-price': promptPrice,
    'answer-price': answerPrice,
  }) // prettier-ignore
    .filter(([, value]) => value !== undefined)
    .map(([name]) => `--${name}`);
  if (unheeded.length > 0)
    throw new LazyscopeError(
      'bad_input',
      `${unheeded.join(', ')} only mean something to an endpoint: add --method endpoint, or leave them out.`,
    );
}

async function labelOne(
  session: Session,
  given: Given,
  dictionary: { run: string; seed: number },
): Promise<Labelled> {
  const { store, report, signal } = session;
  const { openLabelText, latentsToLabel } = await import('../../sae/labels/openLabelText.ts');
  const { labelFromData } = await import('../../sae/labels/labelFromData.ts');
  const { replaceLabels } = await import('../../sae/labels/replaceLabels.ts');
  const { withLock } = await import('../../sae/store/lock.ts');
  const subject = await openLabelText({ store, ...dictionary, report, signal });
  try {
    const chosen = latentsToLabel(subject, { top: given.top, only: given.latents });
    const { latents } = chosen;
    const vocabulary = await vocabularyOfSubject(session, subject);
    const { labels, unlabelled } = await labelFromData({ subject, latents, vocabulary, report, signal });
    const whole = given.top === undefined && given.latents === undefined;
    const path = store.automaticLabels(dictionary.run, dictionary.seed, 'data');
    await withLock(store.runSeed(dictionary.run, dictionary.seed), 'label', () =>
      replaceLabels(path, labels, whole ? 'all' : latents),
    );
    return {
      ...dictionary,
      method: 'data',
      labelled: labels.length,
      unlabelled: {
        inactive: chosen.inactive,
        tooFewContexts: chosen.tooFewContexts + unlabelled.tooFewContexts,
        noRule: unlabelled.noRule,
      },
      labels: await scored(labels),
    };
  } finally {
    subject.close();
  }
}

/** The texts of the tokens: those that the capture left in the store, or the tokenizer's. */
export async function vocabularyOfSubject(
  { store }: Session,
  { capture }: LabelSubject,
): Promise<(string | null)[]> {
  const { readVocabulary, vocabularyOf } = await import('../../sae/tokens/vocabulary.ts');
  const { folder, name, sha256 } = capture.manifest.model;
  const kept = store.vocabulary(sha256);
  if (existsSync(kept)) return readVocabulary(kept);
  const { openModelFiles } = await import('../../sae/models/openModelFiles.ts');
  return vocabularyOf(openModelFiles(modelFolder(store, existsSync(folder) ? folder : name)).tokenizer());
}

export async function scored(labels: readonly AutomaticLabel[]): Promise<ScoredLabel[]> {
  const { labelScore } = await import('../../sae/labels/labelScore.ts');
  return labels.map(({ detection, fuzzing, ...label }) => ({
    ...label,
    detection: detection && labelScore(detection),
    fuzzing: fuzzing && labelScore(fuzzing),
  }));
}

function written(done: readonly Labelled[]): string {
  return done
    .map(({ run: name, seed, labelled, unlabelled, labels }) => {
      const { inactive, tooFewContexts, noRule } = unlabelled;
      return [
        `${name}/${seed}: ${labelled} labelled; ${noRule} fit no rule, ${tooFewContexts} have too few contexts, ${inactive} are never active.`,
        ...labelLines(labels),
      ].join('\n');
    })
    .join('\n\n');
}

/** The labels with the best scores, and what the figures are. */
export function labelLines(labels: readonly ScoredLabel[]): string[] {
  if (labels.length === 0) return [];
  const best = [...labels]
    .sort((a, b) => (b.detection?.balancedAccuracy ?? 0) - (a.detection?.balancedAccuracy ?? 0))
    .slice(0, mostShown);
  return [
    table(
      ['latent', 'detection', 'interval', 'contexts', 'fuzzing', 'label'],
      best.map(({ latent, detection, fuzzing, label }) => [
        latent,
        shown(detection),
        detection ? `${detection.interval[0].toFixed(2)}–${detection.interval[1].toFixed(2)}` : null,
        detection ? detection.positives + detection.negatives : null,
        shown(fuzzing),
        label,
      ]),
    ),
    `Detection and fuzzing: (TPR + TNR) / 2 on contexts that the label was not made from, with a 95 % interval; chance gives 0.50.${labels.length > best.length ? ` The ${best.length} best of ${labels.length} by detection.` : ''}`,
  ];
}

const shown = (score: LabelScore | null) => score?.balancedAccuracy.toFixed(2) ?? null;
