/** `lazyscope matchings`: which way to pair the features of two seeds finds those that do the same, and where features go. */
import { flowKindNames, flowKinds } from '../../sae/spec/flowKinds.ts';
import type { ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import type { Matchings } from '../../sae/spec/manifests/matchings.ts';
import { matchingMethods } from '../../sae/spec/matchingMethods.ts';
import { finishedRun, knownModelOfRun } from '../commandLine/dictionaries.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { figure, percent, table } from '../commandLine/table.ts';
import { dictionaryPairs, seedPairs } from './compare.ts';

declare global {
  interface JobCommands {
    matchings: typeof run;
  }
}

export const run: JobWork<'matchings'> = async ({ store, report, signal, startBackend }, given) => {
  const { predictions, against, run: asked, maxTokens, sample, contexts, epsilon, rho, threshold } = given;
  const manifest = await finishedRun(store, asked);
  const { name, config } = manifest;
  const others = against === undefined ? [] : (await finishedRun(store, against)).config.seeds;
  const { compare } = await import('../../sae/comparison/compare.ts');
  const { SharedNulls } = await import('../../sae/comparison/chance/comparisonChance.ts');
  const { measureMatchings } = await import('../../sae/comparison/matchings/measureMatchings.ts');
  const { storedComparisons } = await import('../../sae/comparison/storedCounterparts.ts');
  await startBackend();
  const nulls = new SharedNulls();
  const pairs = [
    ...seedPairs(name, config.seeds),
    ...(against === undefined
      ? []
      : dictionaryPairs({ run: name, seeds: config.seeds }, { run: against, seeds: others })),
  ];
  const stored = await storedComparisons(store);
  const compared = (pair: Pick<ComparisonManifest, 'a' | 'b'>) => JSON.stringify([pair.a, pair.b]);
  const known = new Set(stored.flatMap(({ a, b }) => [compared({ a, b }), compared({ a: b, b: a })]));
  for (const pair of pairs)
    if (!known.has(compared(pair))) await compare({ store, ...pair, threshold, nulls, report, signal });
  const model = predictions ? await knownModelOfRun(store, manifest, 'judging predictions') : null;
  try {
    const document = await measureMatchings({
      store,
      run: name,
      against,
      model,
      maxTokens,
      sample,
      contexts,
      epsilon,
      rho,
      threshold,
      comparisons: await storedComparisons(store),
      report,
      signal,
    });
    return { document, text: matchingsText(document) };
  } finally {
    model?.dispose();
  }
};

/** The methods, best first, then what became of the features. */
export function matchingsText(found: Matchings): string {
  const { methods, negatives, predictions, seeds, flows, transport } = found;
  const ordered = [...methods].sort((x, y) => y.reconstruction.area.value - x.reconstruction.area.value);
  const [best] = ordered;
  const interval = (of: { interval: readonly [number, number] | null }) =>
    of.interval ? `${figure(of.interval[0], 2)} to ${figure(of.interval[1], 2)}` : '–';
  const pairs = (seeds.length * (seeds.length - 1)) / 2;
  return [
    `What a feature does to the reconstruction is recovered best by the counterparts of ${matchingMethods[best.method].name}: area ${figure(best.reconstruction.area.value)} under the curve of recovered error against coverage. ${pairs === 1 ? 'One pair' : `${pairs} pairs`} of seeds, ${Math.round(found.judged)} features judged on ${found.tokens} held-out tokens${seeds.length < 3 ? '; an interval over seeds takes three of them' : ''}.`,
    table(
      [
        'matching',
        'coverage',
        'area',
        '95 % interval',
        'beyond assignment',
        '95 % interval',
        'recovered',
        'rare',
        'middling',
        'frequent',
      ],
      ordered.map(({ method, coverage, reconstruction: own }) => [
        matchingMethods[method].name,
        percent(coverage),
        figure(own.area.value),
        interval(own.area),
        figure(own.beyondAssignment.value),
        interval(own.beyondAssignment),
        percent(own.recovered),
        ...own.strata.map(({ quality }) => percent(quality)),
      ]),
    ),
    ...(predictions
      ? [
          `The same by the model's predictions (KL), for ${predictions.latents} features on ${predictions.contexts} contexts each in which they fire; fingerprints are changes of log-probabilities when a feature is taken out.`,
          table(
            [
              'matching',
              'area',
              '95 % interval',
              'recovered',
              'of the loss',
              'fingerprint',
              'above 2nd best',
              'above one as frequent',
            ],
            ordered.flatMap(({ method, predictions: own }) =>
              own
                ? [
                    [
                      matchingMethods[method].name,
                      figure(own.area.value),
                      interval(own.area),
                      percent(own.recovered),
                      percent(own.crossEntropy),
                      figure(own.fingerprint?.value ?? null, 2),
                      percent(own.beatsSecondBest),
                      percent(own.beatsLikeActivity),
                    ],
                  ]
                : [],
            ),
          ),
        ]
      : []),
    table(
      ['not the counterpart', 'recovered', 'by predictions', 'fingerprint'],
      negatives.map(({ kind, reconstruction, predictions: own, fingerprint }) => [
        kind === 'secondBest' ? 'second nearest by decoder' : 'one as frequent',
        percent(reconstruction),
        percent(own),
        figure(fingerprint, 2),
      ]),
    ),
    table(
      ['what became of features in', ...flowKindNames.map((kind) => flowKinds[kind].name)],
      flows.map(({ to, kinds }) => {
        const all = flowKindNames.reduce((sum, kind) => sum + (kinds[kind] ?? 0), 0);
        return [
          to === found.run ? 'other seeds' : to,
          ...flowKindNames.map((kind) => percent((kinds[kind] ?? 0) / all)),
        ];
      }),
    ),
    `Transport: ε ${transport.epsilon}, ρ ${transport.rho}, at most ${transport.iterations} iterations${transport.change > 1e-6 ? `; it had not converged, the potentials still changed by ${transport.change.toPrecision(2)} ε` : ''}.`,
  ].join('\n\n');
}
