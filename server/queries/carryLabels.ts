/** Copies labels to the counterparts of their latents in other dictionaries, by the stored comparisons. */
import { comparisonBetween, storedCounterparts } from '../../sae/comparison/storedCounterparts.ts';
import { LazyscopeError } from '../../sae/errors.ts';
import type { ServerContext } from '../context.ts';
import type { Label } from '../contract/label.ts';
import type { CarryInput, LabelCarry } from '../contract/labels.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import { runWithSeed } from './dictionaries.ts';
import type { LabelEntry } from './labelBook.ts';

/** Latents that are looked up in one query. */
const atOnce = 5_000;

/**
 * Throws 'not_found' for a latent without a label, for a dictionary that isn't there, and where two dictionaries are not compared; nothing is
 * changed then. The source of the copy is the latent that it was copied from, wherever that label came from.
 */
export async function carryLabels(server: ServerContext, input: CarryInput): Promise<LabelCarry> {
  const own = { run: input.run, seed: input.seed };
  const labels = await labelsToCarry(server, input);
  const comparisons = await server.seedStability.comparisonsOf(own);
  const targets = input.to ?? (await comparedSeeds(server, own));
  const reasons: Record<string, number> = {};
  const because = (why: string) => (reasons[why] = (reasons[why] ?? 0) + 1);
  const entries: { entry: LabelEntry; cosine: number }[] = [];
  for (const target of targets) {
    await runWithSeed(server, target);
    const side = comparisonBetween(comparisons, own, target);
    if (!side)
      throw new LazyscopeError(
        'not_found',
        `${own.run}/${own.seed} and ${target.run}/${target.seed} are not compared: run 'lazyscope compare ${own.run}/${own.seed} ${target.run}/${target.seed}'.`,
      );
    for (let from = 0; from < labels.length; from += atOnce) {
      const some = labels.slice(from, from + atOnce);
      const found = await storedCounterparts(
        server.store,
        side,
        some.map(({ latent }) => latent),
      );
      for (const label of some) {
        const counterpart = found.get(label.latent);
        if (!counterpart || counterpart.decoderCosine === null) {
          because('the latent has no counterpart there');
          continue;
        }
        if (input.sharedOnly && !counterpart.shared) {
          because(
            'its counterpart is not shared: the cosines are below the threshold, or the matchings disagree',
          );
          continue;
        }
        const there = await server.labels.written({ ...target, latent: counterpart.latent });
        if (there && there.label !== '' && !input.overwrite) {
          because('its counterpart has a label, which was kept');
          continue;
        }
        const cosine = counterpart.decoderCosine;
        entries.push({
          cosine,
          entry: {
            ...target,
            latent: counterpart.latent,
            label: label.label,
            note: there?.note ?? '',
            source: { kind: 'carried', ...own, latent: label.latent, cosine },
          },
        });
      }
    }
  }
  if (entries.length > 0) await server.labels.write(entries.map(({ entry }) => entry));
  return {
    carried: entries.map(({ entry: { run, seed, latent, label }, cosine }) => ({
      run,
      seed,
      latent,
      label,
      cosine,
    })),
    reasons,
  };
}

async function labelsToCarry(server: ServerContext, { run, seed, latent }: CarryInput): Promise<Label[]> {
  await runWithSeed(server, { run, seed });
  const labels = await server.labels.of({ run, seed });
  if (latent === undefined) return [...labels.all()];
  const label = labels.get(latent);
  if (!label)
    throw new LazyscopeError(
      'not_found',
      `Latent ${latent} of ${run}/${seed} has no label to copy: give it one.`,
    );
  return [label];
}

/** Dictionaries that differ from this one in the seed alone and are compared with it. */
async function comparedSeeds(
  server: ServerContext,
  own: DictionaryReference,
): Promise<DictionaryReference[]> {
  const compared = await server.seedStability.sameConfiguration(own);
  return compared.map(({ manifest: { a, b } }) => (a.run === own.run && a.seed === own.seed ? b : a));
}
