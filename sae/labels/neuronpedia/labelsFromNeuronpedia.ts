/** Labels from a source's explanations: the first of each latent. */
import { LazyscopeError } from '../../errors.ts';
import { longestLabel } from '../../spec/labelSources.ts';
import type { AutomaticLabel } from '../labelsTable.ts';
import type { NeuronpediaSource } from './readNeuronpediaSource.ts';

export interface NeuronpediaLabels {
  labels: AutomaticLabel[];
  /** Explanations beside the one that became the label. */
  further: number;
  /** Labels that were cut to the length that labels have at most. */
  cut: number;
}

export interface NeuronpediaChoice {
  latents: number;
  /** These latents alone. */
  only?: readonly number[] | undefined;
  /** Explanations by this model alone. */
  explainer?: string | undefined;
  /** ISO 8601. */
  createdAt: string;
}

/** Throws `bad_input` where the source has a latent that the dictionary lacks, and where no explanation is by the model asked for. */
export function labelsFromNeuronpedia(
  { explanations, features, source }: NeuronpediaSource,
  { latents, only, explainer, createdAt }: NeuronpediaChoice,
): NeuronpediaLabels {
  const largest = [...explanations.map(({ latent }) => latent), ...features.keys()].reduce(
    (most, latent) => Math.max(most, latent),
    -1,
  );
  if (largest >= latents)
    throw new LazyscopeError(
      'bad_input',
      `Neuronpedia's source '${source}' has a feature ${largest}, and the dictionary has ${latents} latents: it is of another dictionary.`,
    );
  const explainers = new Set(explanations.map((each) => each.explainer ?? 'unknown'));
  if (explainer !== undefined && !explainers.has(explainer))
    throw new LazyscopeError(
      'bad_input',
      `No explanation is by '${explainer}': they are by ${[...explainers].slice(0, 5).join(', ') || 'nobody, for there are none'}.`,
    );
  const wanted = only && new Set(only);
  const byLatent = new Map<number, AutomaticLabel>();
  let [further, cut] = [0, 0];
  for (const each of explanations) {
    const text = each.description.trim();
    if (text === '' || (wanted && !wanted.has(each.latent))) continue;
    if (explainer !== undefined && (each.explainer ?? 'unknown') !== explainer) continue;
    if (byLatent.has(each.latent)) {
      further++;
      continue;
    }
    if (text.length > longestLabel) cut++;
    byLatent.set(each.latent, {
      latent: each.latent,
      label: shortened(text),
      model: each.explainer ?? 'Neuronpedia',
      createdAt,
      detection: null,
      fuzzing: null,
    });
  }
  return { labels: [...byLatent.values()], further, cut };
}

/** At a space, if there is one in the last third. */
function shortened(text: string): string {
  if (text.length <= longestLabel) return text;
  const cut = text.slice(0, longestLabel - 1);
  const space = cut.lastIndexOf(' ');
  return `${space > (2 * longestLabel) / 3 ? cut.slice(0, space) : cut}…`;
}
