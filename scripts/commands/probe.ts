/** `lazyscope probe`: what probes say of dictionaries, in SAEBench's definitions. */
import { LazyscopeError } from '../../sae/errors.ts';
import type { Probes } from '../../sae/spec/manifests/probes.ts';
import { finishedRun, knownModelOfRun, seedsOf } from '../commandLine/dictionaries.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { figure, percent, table } from '../commandLine/table.ts';

declare global {
  interface JobCommands {
    probe: typeof run;
  }
}

export const run: JobWork<'probe'> = async ({ store, report, signal, startBackend }, given) => {
  if (given.text === undefined && given.words === 0)
    throw new LazyscopeError(
      'bad_input',
      'There is nothing to measure: give --text, or more --words than 0.',
    );
  for (const [flag, value] of Object.entries({
    '--text-field': given.textField,
    '--label-field': given.labelField,
    '--spurious-field': given.spuriousField,
    '--k': given.k,
    '--ablate': given.ablate,
  }))
    if (value !== undefined && given.text === undefined)
      throw new LazyscopeError(
        'bad_input',
        `${flag} is about documents of known classes: give them with --text.`,
      );
  const runs = await Promise.all(given.run.map((name) => finishedRun(store, name)));
  const work = runs.map((run) => ({ run, seeds: seedsOf(run, given.seeds) }));
  const { probeDictionary } = await import('../../sae/probing/probeDictionary.ts');
  const documents =
    given.text === undefined ? undefined : await drawn(store.datasets(), given.text, given, signal);
  const properties = await drawnProperties(store.datasets(), given, signal);
  await startBackend();
  const probes: Probes[] = [];
  for (const { run, seeds } of work) {
    const model = await knownModelOfRun(store, run, 'probe');
    for (const seed of seeds)
      probes.push(
        await probeDictionary({
          store,
          run: run.name,
          seed,
          model,
          documents,
          properties,
          contextLength: given.contextLength,
          ks: given.k,
          ablate: given.ablate,
          words: given.words,
          report,
          signal,
        }),
      );
    model.dispose();
  }
  return { document: { probes }, text: probesText(probes) };
};

async function drawn(
  datasets: string,
  text: string,
  given: { textField?: string | undefined; labelField?: string | undefined; documents: number },
  signal: AbortSignal | undefined,
) {
  const { labelledDocuments } = await import('../../sae/tokens/text/labelledDocuments.ts');
  const { drawDocuments } = await import('../../sae/probing/drawDocuments.ts');
  const labelField = given.labelField ?? 'label';
  const all = labelledDocuments(text, { textField: given.textField ?? 'text', labelField, datasets });
  return { classes: await drawDocuments(all, given.documents, signal), text, labelField };
}

async function drawnProperties(
  datasets: string,
  given: {
    text?: string | undefined;
    textField?: string | undefined;
    labelField?: string | undefined;
    spuriousField?: string | undefined;
    documents: number;
  },
  signal: AbortSignal | undefined,
) {
  const { text, spuriousField } = given;
  if (text === undefined || spuriousField === undefined) return undefined;
  const { labelledDocuments } = await import('../../sae/tokens/text/labelledDocuments.ts');
  const { drawProperties } = await import('../../sae/probing/drawProperties.ts');
  const labelField = given.labelField ?? 'label';
  const fields = { textField: given.textField ?? 'text', labelField, secondField: spuriousField };
  const all = labelledDocuments(text, { ...fields, datasets });
  return { ...(await drawProperties(all, given.documents, signal)), text, labelField, spuriousField };
}

function probesText(probes: readonly Probes[]): string {
  const classified = probes.filter(({ classification }) => classification);
  const absorbed = probes.filter(({ absorption }) => absorption);
  const parts: string[] = [];
  if (classified.length > 0) {
    const { text, labelField, classes, trainDocuments, testDocuments } = classified[0].classification!;
    parts.push(
      `k-sparse probing: accuracy = documents told right / test documents, of a logistic regression on the k latents with the largest |mean of class − mean of others| (SAEBench)\n` +
        `${text} by ${labelField}: ${classes.length} classes, ${trainDocuments} + ${testDocuments} documents each`,
      table(
        [
          'run',
          'seed',
          'k',
          'accuracy',
          'random latents',
          'shuffled classes',
          'k coordinates',
          'all coordinates',
        ],
        classified.flatMap(({ run, seed, classification }) =>
          classification!.sparseProbing.byK.map((one) => [
            run,
            seed,
            one.k,
            percent(one.accuracy, one.interval),
            percent(one.randomLatents),
            percent(one.shuffledLabels),
            percent(one.coordinates),
            percent(classification!.sparseProbing.allCoordinates),
          ]),
        ),
      ),
      'Targeted probe perturbation: TPP = mean over classes of (fall of its own probe − mean fall of the others), with the n latents of largest (mean of class − mean of others)₊ · w·W_dec set to 0 (SAEBench)',
      table(
        ['run', 'seed', 'n', 'TPP', 'interval', 'own probe', 'others', 'random latents'],
        classified.flatMap(({ run, seed, classification }) =>
          classification!.perturbation.map((one) => [
            run,
            seed,
            one.n,
            figure(one.tpp),
            `${figure(one.interval[0])} to ${figure(one.interval[1])}`,
            figure(one.intended),
            figure(one.unintended),
            figure(one.random),
          ]),
        ),
      ),
    );
  }
  const freed = probes.flatMap(({ run, seed, spurious }) => (spurious ? [{ run, seed, spurious }] : []));
  if (freed.length > 0) {
    const [{ spurious }] = freed;
    const { text, labelField, spuriousField, trainDocuments, testDocuments } = spurious;
    parts.push(
      `Spurious correlation removal: SCR = (accuracy with the n latents of the removed property at 0 − accuracy of the biased probe) / (accuracy of a probe without the bias − that), with the n latents of largest |(difference of means) · w·W_dec| (SAEBench)\n` +
        `${text}: ${labelField} (${spurious.firstValues.join(', ')}) and ${spuriousField} (${spurious.secondValues.join(', ')}), ${trainDocuments} + ${testDocuments} documents of each combination; * marks the property that counts`,
      table(
        [
          'run',
          'seed',
          'removed',
          'measured on',
          'n',
          'SCR',
          'interval',
          'biased',
          'unbiased',
          'random latents',
        ],
        freed.flatMap(({ run, seed, spurious: each }) =>
          (['first', 'second'] as const).flatMap((measured) => {
            const { oracle, biased, byN } = each[measured];
            const [on, removed] =
              measured === 'first' ? [labelField, spuriousField] : [spuriousField, labelField];
            return byN.map(({ n, scr, interval, random }) => [
              run,
              seed,
              removed,
              `${on}${each.counts === measured ? ' *' : ''}`,
              n,
              figure(scr),
              `${figure(interval[0])} to ${figure(interval[1])}`,
              percent(biased),
              percent(oracle),
              figure(random),
            ]);
          }),
        ),
      ),
    );
  }
  if (absorbed.length > 0)
    parts.push(
      'First-letter absorption: mean over letters of the share of a letter, along its probe, that other latents carry; full: words where one does while the letter’s latents are silent (SAEBench)',
      table(
        ['run', 'seed', 'letters', 'latents a letter', 'fraction', 'by chance', 'full', 'by chance'],
        absorbed.map(({ run, seed, absorption }) => [
          run,
          seed,
          absorption!.counted,
          figure(absorption!.latentsPerLetter, 1),
          percent(absorption!.fraction, absorption!.fractionInterval),
          percent(absorption!.chanceFraction),
          percent(absorption!.full, absorption!.fullInterval),
          percent(absorption!.chanceFull),
        ]),
      ),
    );
  return parts.join('\n\n');
}
