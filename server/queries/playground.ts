/** Questions to the model that the server keeps, with what the store knows of the latents in the answers. */
import { existsSync } from 'node:fs';
import { comparisonBetween, type ComparisonSide } from '../../sae/comparison/storedCounterparts.ts';
import { isLazyscopeError, LazyscopeError } from '../../sae/errors.ts';
import { counterpartSteering } from '../../sae/inference/counterpartSteering.ts';
import type { DictionaryFeatures } from '../../sae/inference/textFeatures.ts';
import { modelPlace } from '../../sae/models/modelPlace.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { bringInFolder } from '../../sae/store/remote/bringIn.ts';
import type { ServerContext } from '../context.ts';
import type {
  LatentGlance,
  SteerInput,
  SteeringEvent,
  TextFeaturesInput,
  TextOnModel,
  VariantName,
} from '../contract/playground.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import { modelOfRun, runWithSeed } from './dictionaries.ts';
import { featureGlances } from './featureTable.ts';
import { namedModelFolder } from './modelFolders.ts';

export async function featuresOfText(
  server: ServerContext,
  input: TextFeaturesInput,
  signal: AbortSignal | undefined,
): Promise<TextOnModel> {
  const started = performance.now();
  const { dictionaries, text, strongest, traced, predictions } = input;
  const runs = await Promise.all(dictionaries.map((one) => trainedDictionary(server, one)));
  const model =
    runs.length > 0 ? await modelOf(server, runs[0]) : await listedModel(server, input.model ?? '');
  const request = {
    text,
    dictionaries: dictionaries.map(({ run, seed }) => ({ run, seed })),
    comparisons: await comparisonsWithFirst(server, dictionaries),
    latents: dictionaries.map(({ latents }) => latents),
    strongest,
    traced,
    predictions,
  };
  const found = await server.model.features(model, request, signal);
  const described = await Promise.all(
    found.dictionaries.map(async (one, i) => ({
      ...one,
      architecture: runs[i].config.architecture,
      glances: await glancesOf(server, runs[i], one),
    })),
  );
  return { ...found, dictionaries: described, seconds: (performance.now() - started) / 1000 };
}

/** Ends with an event that says what went wrong rather than with an error. */
export async function* steeredText(
  server: ServerContext,
  input: SteerInput,
  signal: AbortSignal | undefined,
): AsyncGenerator<SteeringEvent, void> {
  try {
    yield* steering(server, input, signal);
  } catch (error) {
    if (signal?.aborted) return;
    if (isLazyscopeError(error)) {
      yield { type: 'failed', code: error.code, message: error.message };
      return;
    }
    server.log('playground.steer failed.', error);
    const message = 'Something went wrong inside the server; its log says what.';
    yield { type: 'failed', code: 'internal', message };
  }
}

async function* steering(
  server: ServerContext,
  input: SteerInput,
  signal: AbortSignal | undefined,
): AsyncGenerator<SteeringEvent, void> {
  const { dictionaries, keepsError, counterpart } = input;
  const runs = await Promise.all(dictionaries.map((one) => trainedDictionary(server, one)));
  const place = await modelOf(server, runs[0]);
  const other = counterpart && (await counterpartOf(server, dictionaries, counterpart));
  const variants: VariantName[] = ['without', 'with', ...(other ? (['counterpart'] as const) : [])];
  const { prompt, maxNewTokens, greedy, samples, seed, temperature, topK, topP } = input;
  const events = server.model.steer(
    place,
    {
      prompt,
      variants: [
        { steered: [], keepsError: true },
        { steered: dictionaries, keepsError },
        ...(other ? [{ steered: [other.steered], keepsError }] : []),
      ],
      maxNewTokens,
      greedy,
      samples,
      sampling: { temperature, ...(topK !== undefined && { topK }), ...(topP !== undefined && { topP }) },
      seed,
    },
    signal,
  );
  const model = (await modelOfRun(server, runs[0]))?.name ?? '';
  for await (const event of events)
    yield event.type === 'start'
      ? { ...event, model, variants, counterparts: other?.counterparts ?? null }
      : event;
}

async function counterpartOf(
  server: ServerContext,
  steered: SteerInput['dictionaries'],
  other: DictionaryReference,
) {
  const [own] = steered;
  if (steered.length > 1)
    throw new LazyscopeError(
      'bad_input',
      'Counterparts are steered for one dictionary at a time: steer latents of one, or leave the counterpart out.',
    );
  await trainedDictionary(server, other);
  const comparison = await comparisonOf(server, own, other);
  if (!comparison)
    throw new LazyscopeError(
      'not_found',
      `${own.run}/${own.seed} and ${other.run}/${other.seed} are not compared: run 'lazyscope compare ${own.run}/${own.seed} ${other.run}/${other.seed}'.`,
    );
  const { interventions, counterparts } = await counterpartSteering(
    server.store,
    comparison,
    own.interventions,
  );
  return { steered: { ...other, interventions }, counterparts };
}

/** The run of a dictionary that exists. Throws 'not_found' otherwise. */
async function trainedDictionary(
  server: ServerContext,
  { run, seed }: DictionaryReference,
): Promise<RunManifest> {
  const manifest = await runWithSeed(server, { run, seed });
  if (!existsSync(server.store.dictionary(run, seed)))
    throw new LazyscopeError(
      'not_found',
      `Seed ${seed} of run '${run}' has no dictionary yet: wait until it is trained.`,
    );
  await bringInFolder(server.store.runSeed(run, seed));
  return manifest;
}

/** Where the model of a run is: where its capture found it, or else the listed model of that name. */
async function modelOf(server: ServerContext, run: RunManifest): Promise<string> {
  const model = await modelOfRun(server, run);
  if (!model)
    throw new LazyscopeError(
      'not_found',
      `The capture '${run.config.capture}' of run '${run.name}' is gone, so its model isn't known: capture it again.`,
    );
  const place = modelPlace(server.store, model) ?? namedModelFolder(server.modelFolders, model.name);
  if (!place)
    throw new LazyscopeError(
      'not_found',
      `The model '${model.name}' of run '${run.name}' is not on this machine, or not where it was: put it into '${server.store.models()}'.`,
    );
  await bringInFolder(place);
  return place;
}

async function listedModel(server: ServerContext, name: string): Promise<string> {
  const place = namedModelFolder(server.modelFolders, name);
  if (!place) throw new LazyscopeError('not_found', `There is no model '${name}': see the list of models.`);
  await bringInFolder(place);
  return place;
}

async function comparisonOf(
  server: ServerContext,
  own: DictionaryReference,
  other: DictionaryReference,
): Promise<ComparisonSide | undefined> {
  const found = comparisonBetween(await server.seedStability.comparisonsOf(own), own, other);
  if (found) await bringInFolder(server.store.comparison(found.name));
  return found;
}

/** For each dictionary the comparison with the first one; null for that one itself, and where there is none. */
function comparisonsWithFirst(
  server: ServerContext,
  dictionaries: readonly DictionaryReference[],
): Promise<(ComparisonSide | null)[]> {
  return Promise.all(
    dictionaries.map(async (one, i) =>
      i === 0 ? null : ((await comparisonOf(server, dictionaries[0], one)) ?? null),
    ),
  );
}

/** What is known of every latent that the answer mentions. */
async function glancesOf(
  server: ServerContext,
  run: RunManifest,
  found: DictionaryFeatures,
): Promise<LatentGlance[]> {
  const { seed } = found;
  const reference = { run: run.name, seed };
  const latents = [
    ...new Set([
      ...found.traces.map(({ latent }) => latent),
      ...found.strongest.flat().map(({ latent }) => latent),
      ...(found.counterparts?.rows ?? []).flatMap(({ counterpart }) => (counterpart ? [counterpart.latent] : [])),
    ]),
  ]; // prettier-ignore
  const indexed = existsSync(server.store.features(run.name, seed));
  const [glances, labels] = await Promise.all([
    indexed ? featureGlances(server, run, reference, latents) : new Map<number, never>(),
    server.labels.of(reference),
  ]);
  return latents.map((latent) => {
    const glance = glances.get(latent);
    return {
      latent,
      label: labels.name(latent),
      density: glance?.density ?? null,
      maxActivation: glance?.maxActivation ?? null,
      promoted: glance?.promoted ?? [],
      topTokens: glance?.topTokens ?? [],
    };
  });
}
