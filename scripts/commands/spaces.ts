/** `lazyscope spaces`: two dictionaries whose activations have different spaces, such as of two models or two steps of training. */
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import type { SpacesReport } from '../../sae/spec/manifests/spaces.ts';
import { dictionaryReference, finishedRun, seedsOf } from '../commandLine/dictionaries.ts';
import { loadModelOfCapture } from '../commandLine/models.ts';
import { fraction, positiveInteger, withCommonOptions } from '../commandLine/options.ts';
import { runCommand, type Outcome, type Session } from '../commandLine/runCommand.ts';
import { figure, table } from '../commandLine/table.ts';

interface Options {
  maxTokens: number;
  leastCorrelation: number;
  draws: number;
}

export function spaces(): Command {
  const command = new Command('spaces')
    .description('compare two dictionaries whose spaces differ, of two models or two steps of training')
    .argument('<a>', 'a dictionary as RUN/SEED')
    .argument('<b>', 'another one, of activations on the same text')
    .option('--max-tokens <n>', 'held-out places of the text, at most', positiveInteger, 16_384)
    .option(
      '--least-correlation <r>',
      'correlation of activations that a pair of latents has at least',
      fraction,
      0,
    )
    .option('--draws <n>', 'random pairings that both measures are set beside', positiveInteger, 99);
  return withCommonOptions(command).action((a: string, b: string, given: Options) =>
    runCommand(command, (session) => compared(session, [a, b], given)),
  );
}

async function compared(
  session: Session,
  names: readonly [string, string],
  { maxTokens, leastCorrelation, draws }: Options,
): Promise<Outcome> {
  const { store, report, signal } = session;
  const [a, b] = names.map(dictionaryReference);
  for (const { run, seed } of [a, b]) seedsOf(await finishedRun(store, run), [seed]);
  if (a.run === b.run && a.seed === b.seed)
    throw new LazyscopeError('bad_input', `'${names[0]}' is compared with itself: name two dictionaries.`);
  const { compareSpaces } = await import('../../sae/comparison/spaces/compareSpaces.ts');
  const { readManifest } = await import('../../sae/store/readManifest.ts');
  const { captureKind } = await import('../../sae/spec/manifests/capture.ts');
  await session.startBackend();
  const document = await compareSpaces({
    store,
    a,
    b,
    maxTokens,
    leastCorrelation,
    draws,
    tokenizerOf: async (capture) => {
      const model = await loadModelOfCapture(
        store,
        await readManifest(store.captureManifest(capture), captureKind),
      );
      model?.dispose();
      return model?.tokenizer ?? null;
    },
    report,
    signal,
  });
  return { document, text: spacesText(document, names) };
}

function spacesText(found: SpacesReport, [a, b]: readonly [string, string]): string {
  const { pairs, live, tokens, aligned, correlation, svcca, rsa } = found;
  const interval = (of: SpacesReport['svcca'] | SpacesReport['rsa']) =>
    of.interval ? `${figure(of.interval[0], 2)} to ${figure(of.interval[1], 2)}` : '–';
  return [
    `${pairs} pairs of latents, each the other's most correlated one, of ${live[0]} of '${a}' and ${live[1]} of '${b}' that fire on ${tokens} held-out places of the text, matched by ${aligned === 'tokens' ? 'token' : 'where tokens end'}; their correlation is ${figure(correlation.median, 2)} in the middle and ${figure(correlation.mean, 2)} on average.`,
    table(
      ['measure', 'value', '95 % interval', 'random pairings', 'the most of them', 'p', 'of'],
      [
        [
          'SVCCA',
          figure(svcca.value),
          interval(svcca),
          figure(svcca.chance),
          figure(svcca.most),
          figure(svcca.p, 2),
          `${svcca.components[0]} and ${svcca.components[1]} components`,
        ],
        [
          'RSA',
          figure(rsa.value),
          interval(rsa),
          figure(rsa.chance),
          figure(rsa.most),
          figure(rsa.p, 2),
          `${rsa.vectors} latents`,
        ],
      ],
    ),
  ].join('\n\n');
}
