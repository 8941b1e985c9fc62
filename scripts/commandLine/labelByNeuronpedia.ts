/** `lazyscope label --method neuronpedia`: explanations that were fetched from Neuronpedia, on the dictionary that they are of. */
import { LazyscopeError } from '../../sae/errors.ts';
import type { ImportedSource } from '../../sae/labels/neuronpedia/labelNeuronpedia.ts';
import type { CommandOptionsOf } from '../../sae/spec/jobs/jobs.ts';
import { pathToImport } from '../importing/pathToImport.ts';
import { vocabularyOfSubject } from './labelOutput.ts';
import type { Outcome, Session } from './runCommand.ts';
import { table } from './table.ts';

/** Labels that a table for people lists. */
const mostShown = 20;

export async function labelByNeuronpedia(
  session: Session,
  { from, latents, model, anySource }: CommandOptionsOf<'label'>,
  work: readonly { run: string; seed: number }[],
): Promise<Outcome> {
  const { store } = session;
  if (from === undefined)
    throw new LazyscopeError(
      'bad_input',
      'Say with --from where the explanations of Neuronpedia are: the folder of a source, or a file.',
    );
  if (work.length !== 1)
    throw new LazyscopeError(
      'bad_input',
      'Explanations of Neuronpedia are of one dictionary: give one run, and its seed with --seed.',
    );
  const { labelNeuronpedia } = await import('../../sae/labels/neuronpedia/labelNeuronpedia.ts');
  const { withLock } = await import('../../sae/store/lock.ts');
  const [{ run, seed }] = work;
  const done = await withLock(store.runSeed(run, seed), 'label', () =>
    labelNeuronpedia({
      store,
      run,
      seed,
      path: pathToImport(store, from),
      only: latents,
      explainer: model,
      anySource,
      vocabularyOf: (capture) => vocabularyOfSubject(session, { capture }),
    }),
  );
  return {
    document: { labelled: [{ run, seed, method: 'neuronpedia', ...done }] },
    text: written(`${run}/${seed}`, done),
  };
}

function written(
  name: string,
  { source, model, labelled, further, cut, agreement, labels }: ImportedSource,
): string {
  const shown = labels.slice(0, mostShown);
  const compared = agreement
    ? `${agreement.by === 'decoder rows' ? 'Mean cosine of decoder rows' : 'Mean share of promoted tokens that both have'}: ${agreement.share.toFixed(2)} over ${agreement.features} features; ${agreement.chance.toFixed(2)} for another feature of the source.`
    : 'Nothing of it could be compared with the dictionary, which takes its features/ and an index: check that it is of this one.';
  return [
    `${name}: ${labelled} labelled from '${model}/${source}'; ${further} further explanations of the same latents left out, ${cut} cut to the length of a label.`,
    compared,
    ...(shown.length > 0
      ? [
          table(
            ['latent', 'by', 'label'],
            shown.map(({ latent, model: by, label }) => [latent, by, label]),
          ),
        ]
      : []),
    ...(labels.length > shown.length ? [`The first ${shown.length} of ${labels.length}.`] : []),
  ].join('\n');
}
