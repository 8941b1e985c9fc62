/** `lazyscope features`: which features of a text fire, token by token. */
import { Command } from 'commander';
import type { ComparisonSide } from '../../sae/comparison/storedCounterparts.ts';
import type { DictionaryFeatures, TextFeatures } from '../../sae/inference/textFeatures.ts';
import { modelOfDictionary, namedDictionary } from '../commandLine/attachedDictionaries.ts';
import { positiveInteger, repeated, withCommonOptions, wholeNumber } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import { figure, table } from '../commandLine/table.ts';

interface Options {
  text: string;
  top: number;
  traced: number;
  predictions: number;
  latent: string[];
}

export function features(): Command {
  const command = new Command('features')
    .description('which features fire on a text, token by token, and whether their counterparts do')
    .argument(
      '<dictionary...>',
      'RUN/SEED, or RUN for its first seed; further ones of the same model are set beside the first',
    )
    .requiredOption('--text <text>', 'the text')
    .option('--top <n>', 'strongest features a token', positiveInteger, 5)
    .option('--traced <n>', 'features whose activation on every token is listed', positiveInteger, 20)
    .option('--predictions <n>', 'likeliest next tokens', positiveInteger, 3)
    .option('--latent <n>', 'a latent of the first dictionary to trace in any case; may be repeated', repeated, []); // prettier-ignore
  return withCommonOptions(command).action((named: string[], given: Options) =>
    runCommand(command, async ({ store, signal, startBackend }) => {
      const dictionaries = await Promise.all(named.map((one) => namedDictionary(store, one)));
      const latents = given.latent.map(wholeNumber);
      const { comparisonBetween, storedComparisons } =
        await import('../../sae/comparison/storedCounterparts.ts');
      const stored = dictionaries.length > 1 ? await storedComparisons(store) : [];
      const comparisons = dictionaries.map(
        (other, i): ComparisonSide | null =>
          (i > 0 && comparisonBetween(stored, dictionaries[0], other)) || null,
      );
      await startBackend();
      const attached = await modelOfDictionary(store, dictionaries[0]);
      const found = await attached.features(
        {
          text: given.text,
          dictionaries,
          comparisons,
          latents: [latents],
          strongest: given.top,
          traced: given.traced,
          predictions: given.predictions,
        },
        signal,
      );
      attached.dispose();
      return { document: found, text: found.dictionaries.map((one) => sections(found, one)).join('\n\n') };
    }),
  );
}

function sections(found: TextFeatures, dictionary: DictionaryFeatures): string {
  const { run, seed, hook, counterparts } = dictionary;
  const parts = [`${run}/${seed} at ${hook}, on ${found.model}`, tokenTable(found, dictionary)];
  if (counterparts)
    parts.push(
      `Counterparts of ${found.dictionaries[0].run}/${found.dictionaries[0].seed}, by ${counterparts.comparison}`,
      table(
        ['latent', 'counterpart', 'cosine', 'shared', 'both', 'first only', 'second only'],
        counterparts.rows.map(({ latent, counterpart, both, onlyFirst, onlySecond }) => [
          latent,
          counterpart?.latent ?? null,
          figure(counterpart?.decoderCosine ?? null, 2),
          counterpart?.shared ? 'yes' : 'no',
          both,
          onlyFirst,
          onlySecond,
        ]),
      ),
    );
  return parts.join('\n');
}

function tokenTable(found: TextFeatures, { strongest, leftOut, l0 }: DictionaryFeatures): string {
  return table(
    ['token', 'nats', 'L0', 'strongest latents', 'next'],
    found.tokens.map(({ text }, position) => [
      JSON.stringify(text),
      figure(found.surprisal[position], 2),
      l0[position],
      leftOut[position]
        ? 'left out of training'
        : strongest[position].map(({ latent, activation }) => `${latent}:${activation.toPrecision(3)}`).join(' '),
      found.predictions[position].map((next) => JSON.stringify(next.text)).join(' '),
    ]),
  ); // prettier-ignore
}
