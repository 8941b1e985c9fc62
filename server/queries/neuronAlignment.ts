/**
 * Neuron–feature alignment: each live latent of a dictionary joined with the neurons whose output vectors (rows of W_down) are
 * nearest to its decoder row, so that a latent's stability across seeds can be set against how often those neurons fire.
 */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { LazyscopeError } from '../../sae/errors.ts';
import { queryParquet } from '../../sae/store/parquet.ts';
import type { ServerContext } from '../context.ts';
import type { NeuronAlignment, NeuronAlignmentInput } from '../contract/sparsity.ts';
import { indexedDictionary, modelOfRun } from './dictionaries.ts';
import { rankCorrelation } from './rankCorrelation.ts';
import { reportOf } from './sparsity.ts';

const rowSchema = z.object({
  latent: z.number(),
  layer: z.number(),
  neuron: z.number(),
  cosine: z.number(),
  frequency: z.number(),
  weightedFrequency: z.number(),
});

export async function neuronAlignment(
  server: ServerContext,
  { name, run, seed }: NeuronAlignmentInput,
): Promise<NeuronAlignment> {
  const report = await reportOf(server, name);
  const manifest = await indexedDictionary(server, { run, seed });
  const model = await modelOfRun(server, manifest);
  if (model?.name !== report.model.name)
    throw new LazyscopeError(
      'bad_input',
      `Run '${run}' looks into '${model?.name ?? 'a model that is gone'}', the report '${name}' is of '${report.model.name}': choose a run on the same model.`,
    );
  const loadings = server.store.loadings(run, seed);
  if (!existsSync(loadings))
    throw new LazyscopeError(
      'not_found',
      `Seed ${seed} of run '${run}' was indexed before loadings were kept: run 'lazyscope index ${run}' again.`,
    );
  const rows = (
    await queryParquet(
      `SELECT l.latent, arg_min(l.layer, l.rank) AS layer, arg_min(l.neuron, l.rank) AS neuron,
         arg_min(l.cosine, l.rank) AS cosine, arg_min(n.frequency, l.rank) AS frequency,
         sum(n.frequency * l.cosine * l.cosine) / greatest(sum(l.cosine * l.cosine), 1e-12) AS "weightedFrequency"
       FROM read_parquet($path) l
       JOIN read_parquet($neurons) n ON n.layer = l.layer AND n.neuron = l.neuron
       JOIN read_parquet($features) f ON f.latent = l.latent
       WHERE NOT f.dead GROUP BY l.latent ORDER BY l.latent`,
      {
        path: loadings,
        neurons: server.store.sparsityTable(name, 'neurons'),
        features: server.store.features(run, seed),
      },
    )
  ).map((cells) => rowSchema.parse(cells));
  const { compared, sharedWith } = await server.seedStability.stability({ run, seed }, manifest.config.width);
  const stability = rows.map(({ latent }) => (compared > 0 ? sharedWith[latent] / compared : null));
  const groups = [...new Set(stability.filter((share) => share !== null))]
    .sort((a, b) => a - b)
    .map((share) => {
      const own = rows.filter((_, i) => stability[i] === share);
      const mean = (value: (row: z.infer<typeof rowSchema>) => number) =>
        own.reduce((sum, row) => sum + value(row), 0) / own.length;
      return {
        stability: share,
        latents: own.length,
        cosine: mean((row) => Math.abs(row.cosine)),
        frequency: mean((row) => row.frequency),
        weightedFrequency: mean((row) => row.weightedFrequency),
      };
    });
  return {
    report: name,
    run,
    seed,
    hook: manifest.config.hook,
    compared,
    latent: rows.map((row) => row.latent),
    layer: rows.map((row) => row.layer),
    neuron: rows.map((row) => row.neuron),
    cosine: rows.map((row) => row.cosine),
    frequency: rows.map((row) => row.frequency),
    stability,
    groups,
    correlation:
      compared > 0
        ? rankCorrelation(
            stability.map((share) => share ?? 0),
            rows.map((row) => row.weightedFrequency),
          )
        : null,
  };
}
