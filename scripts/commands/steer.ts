/** `lazyscope steer`: what a model says with features turned up, held or switched off, beside what it says without. */
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import type { SteerRequest } from '../../sae/inference/attachedModel.ts';
import type { Intervention } from '../../sae/inference/intervention.ts';
import type { SteerEvent, SteeredRow } from '../../sae/inference/steer.ts';
import { interventionKinds, type InterventionKind } from '../../sae/spec/interventions.ts';
import type { DictionaryReference } from '../../sae/spec/manifests/comparison.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { modelOfDictionary, namedDictionary, parseChange } from '../commandLine/attachedDictionaries.ts';
import {
  fraction,
  positiveInteger,
  positiveNumber,
  repeated,
  wholeNumber,
  withCommonOptions,
} from '../commandLine/options.ts';
import { runCommand, type Session } from '../commandLine/runCommand.ts';
import { percent, table } from '../commandLine/table.ts';

interface Options {
  prompt: string;
  add: string[];
  clamp: string[];
  ablate: string[];
  reconstruction?: boolean;
  counterpart?: string;
  maxNewTokens: number;
  samples: number;
  greedy: boolean;
  temperature: number;
  topK?: number;
  topP?: number;
  seed: number;
}

type Steered = DictionaryReference & { interventions: Intervention[] };

export function steer(): Command {
  const command = new Command('steer')
    .description('what a model says with features turned up, held or switched off, and without')
    .argument('<dictionary>', 'RUN/SEED, or RUN for its first seed')
    .requiredOption('--prompt <text>', 'what the text begins with')
    .option('--add <latent=value>', 'add to the activation on every token; may be repeated', repeated, [])
    .option('--clamp <latent=value>', 'hold the activation at a value; may be repeated', repeated, [])
    .option('--ablate <latent>', 'hold the activation at 0; may be repeated', repeated, [])
    .option(
      '--reconstruction',
      'put x̂ + Δ in place of the activation; otherwise x + Δ, which keeps the reconstruction error',
    ) // prettier-ignore
    .option('--counterpart <run/seed>', 'also steer the counterparts in this dictionary')
    .option('--max-new-tokens <n>', 'tokens to write', positiveInteger, 40)
    .option('--samples <n>', 'continuations to draw', wholeNumber, 0)
    .option('--no-greedy', 'leave out the continuation of likeliest tokens')
    .option('--temperature <t>', 'of the draws', positiveNumber, 1)
    .option('--top-k <n>', 'draw from the n likeliest only', positiveInteger)
    .option('--top-p <share>', 'draw from the likeliest that make up this share', fraction)
    .option('--seed <n>', 'of the draws', wholeNumber, 0);
  return withCommonOptions(command).action((named: string, given: Options) =>
    runCommand(command, async (session) => {
      const { store, startBackend, signal } = session;
      const dictionary = await namedDictionary(store, named);
      const steered = await changesOf(store, dictionary, given);
      const counterpart = given.counterpart === undefined ? null : await counterpartOf(store, steered, given.counterpart); // prettier-ignore
      await startBackend();
      const attached = await modelOfDictionary(store, dictionary);
      const keepsError = given.reconstruction !== true;
      const { prompt, maxNewTokens, samples, greedy, seed, temperature, topK, topP } = given;
      const { checkSampling } = await import('../../sae/models/generate.ts');
      const sampling = checkSampling({ maxNewTokens, temperature, topK, topP });
      const variants: SteerRequest['variants'] = [
        { steered: [], keepsError: true },
        { steered, keepsError },
        ...(counterpart ? [{ steered: [counterpart.steered], keepsError }] : []),
      ];
      const request = { prompt, variants, maxNewTokens, greedy, samples, sampling, seed };
      const said = await follow(attached.steer(request, signal), session, maxNewTokens);
      attached.dispose();
      const names = ['without', 'with', ...(given.counterpart === undefined ? [] : ['counterpart'])];
      const document = {
        model: attached.model.name,
        prompt,
        reconstructionErrorKept: keepsError,
        steered,
        counterparts: counterpart?.counterparts ?? null,
        ...described(said, names),
      };
      return { document, text: shown(document, prompt) };
    }),
  );
}

/** All changes, by dictionary; the one that was named stands for those that name none. */
async function changesOf(
  store: StoreLayout,
  own: DictionaryReference,
  { add, clamp, ablate }: Options,
): Promise<Steered[]> {
  const changes: Record<InterventionKind, string[]> = { add, clamp, ablate };
  const steered = new Map<string, Steered>();
  for (const kind of interventionKinds)
    for (const text of changes[kind]) {
      const { dictionary, latent, value } = parseChange(text, kind, kind !== 'ablate');
      const of = dictionary ? await namedDictionary(store, `${dictionary.run}/${dictionary.seed}`) : own;
      const key = `${of.run}/${of.seed}`;
      const already = steered.get(key) ?? { ...of, interventions: [] };
      already.interventions.push({ latent, kind, value });
      steered.set(key, already);
    }
  if (steered.size === 0)
    throw new LazyscopeError(
      'bad_input',
      'Nothing is steered: give --add LATENT=VALUE, --clamp LATENT=VALUE or --ablate LATENT.',
    );
  return [...steered.values()];
}

async function counterpartOf(store: StoreLayout, [own, ...others]: readonly Steered[], named: string) {
  const { comparisonBetween, storedComparisons } = await import('../../sae/comparison/storedCounterparts.ts');
  const { counterpartSteering } = await import('../../sae/inference/counterpartSteering.ts');
  if (others.length > 0)
    throw new LazyscopeError('bad_input', '--counterpart: steer latents of one dictionary only.');
  const other = await namedDictionary(store, named);
  const comparison = comparisonBetween(await storedComparisons(store), own, other);
  if (!comparison)
    throw new LazyscopeError(
      'not_found',
      `${own.run}/${own.seed} and ${other.run}/${other.seed} are not compared: run 'lazyscope compare ${own.run}/${own.seed} ${other.run}/${other.seed}'.`,
    );
  const { interventions, counterparts } = await counterpartSteering(store, comparison, own.interventions);
  return { steered: { ...other, interventions }, counterparts };
}

interface Said {
  rows: (SteeredRow & { text: string; tokens: number; stopped: string | null })[];
  next: Extract<SteerEvent, { type: 'next' }> | null;
  end: Extract<SteerEvent, { type: 'end' }> | null;
}

async function follow(
  events: AsyncIterable<SteerEvent>,
  { report }: Session,
  maxNewTokens: number,
): Promise<Said> {
  const said: Said = { rows: [], next: null, end: null };
  let done = 0;
  for await (const event of events)
    switch (event.type) {
      case 'start':
        said.rows = event.rows.map((row) => ({ ...row, text: '', tokens: 0, stopped: null }));
        break;
      case 'next':
        said.next = event;
        break;
      case 'tokens':
        for (const { row, text } of event.tokens) {
          said.rows[row].text += text;
          said.rows[row].tokens++;
        }
        for (const { row, stopped } of event.ended) said.rows[row].stopped = stopped;
        report({ stage: 'steer', done: ++done, total: maxNewTokens, unit: 'tokens' });
        break;
      case 'end':
        said.end = event;
    }
  return said;
}

function described({ rows, next, end }: Said, names: readonly string[]) {
  return {
    next: {
      tokens: (next?.tokens ?? []).map(({ id, text, probabilities }) => ({
        id,
        text,
        probabilities: Object.fromEntries(names.map((name, variant) => [name, probabilities[variant]])),
      })),
      /** KL(without ‖ variant) of the next token, in nats. */
      divergence: Object.fromEntries(names.map((name, variant) => [name, next?.divergence[variant]])),
    },
    continuations: rows.map(({ variant, ...row }) => ({ variant: names[variant], ...row })),
    seconds: end?.seconds ?? null,
    firstTokenSeconds: end?.firstTokenSeconds ?? null,
    newTokens: end?.newTokens ?? null,
  };
}

function shown({ next, continuations }: ReturnType<typeof described>, prompt: string): string {
  const names = Object.keys(next.divergence);
  const probabilities = table(
    ['next token', ...names],
    next.tokens.slice(0, 12).map(({ text, probabilities: of }) => [
      JSON.stringify(text),
      ...names.map((name) => percent(of[name])),
    ]),
  ); // prettier-ignore
  const texts = continuations.map(
    ({ variant, sample, text }) =>
      `── ${variant}, ${sample === null ? 'greedy' : `draw ${sample + 1}`}\n${prompt}${text}`,
  );
  const changes = names.slice(1).map((name) => `KL(without ‖ ${name}) = ${next.divergence[name]?.toFixed(3)} nats`); // prettier-ignore
  return [probabilities, changes.join(', '), ...texts].join('\n\n');
}
