/** `lazyscope label`: labels found in the data or written by an endpoint, each with a score on contexts that it was not made from. */
import { LazyscopeError } from '../../sae/errors.ts';
import type { ScoredLabel } from '../../sae/labels/labelsTable.ts';
import type { CommandOptionsOf } from '../../sae/spec/jobs/jobs.ts';
import type { LabelMethod } from '../../sae/spec/tables/labels.ts';
import { finishedRun, seedsOf } from '../commandLine/dictionaries.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { labelLines, scored, vocabularyOfSubject } from '../commandLine/labelOutput.ts';
import type { Session } from '../commandLine/runCommand.ts';

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

export const run: JobWork<'label'> = async (session, given) => {
  const runs = await Promise.all(given.run.map((name) => finishedRun(session.store, name)));
  const work = runs.flatMap((one) => seedsOf(one, given.seed).map((seed) => ({ run: one.name, seed })));
  refuseWithoutNeuronpedia(given);
  if (given.method === 'endpoint')
    return (await import('../commandLine/labelByEndpoint.ts')).labelByEndpoint(session, given, work);
  refuseWithoutEndpoint(given);
  if (given.method === 'neuronpedia')
    return (await import('../commandLine/labelByNeuronpedia.ts')).labelByNeuronpedia(session, given, work);
  await session.startBackend();
  const done: Labelled[] = [];
  for (const dictionary of work) done.push(await labelOne(session, given, dictionary));
  return { document: { labelled: done }, text: written(done) };
};

/** Options that only an endpoint heeds. */
function refuseWithoutEndpoint({ method, yes, baseUrl, model, promptPrice, answerPrice }: Given): void {
  const unheeded = Object.entries({
    yes,
    'base-url': baseUrl,
    model: method === 'neuronpedia' ? undefined : model,
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

/** Options that only files of Neuronpedia heed, and the one that they don't. */
function refuseWithoutNeuronpedia({ method, from, anySource, top }: Given): void {
  const isNeuronpedia = method === 'neuronpedia';
  if (isNeuronpedia && top !== undefined)
    throw new LazyscopeError(
      'bad_input',
      '--top chooses latents by their activations: leave it out with --method neuronpedia, or give --latents.',
    );
  const unheeded = from === undefined ? (anySource ? '--any-source' : undefined) : '--from';
  if (!isNeuronpedia && unheeded !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `${unheeded} only means something to files of Neuronpedia: add --method neuronpedia, or leave it out.`,
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
