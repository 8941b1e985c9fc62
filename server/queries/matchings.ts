/** The judged matchings of a run and the flows of single latents, as `lazyscope matchings` stored them. */
import { existsSync } from 'node:fs';
import { flowKindNames } from '../../sae/spec/flowKinds.ts';
import { matchingsKind } from '../../sae/spec/manifests/matchings.ts';
import { flowTable } from '../../sae/spec/tables/flows.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, storedTable } from '../../sae/store/tableSql.ts';
import type { ServerContext } from '../context.ts';
import type { FeatureInput } from '../contract/features.ts';
import type { LatentFlows, MatchingsDetail } from '../contract/matchings.ts';
import { runManifest } from './dictionaries.ts';

/** Null where they were not judged. */
export async function matchings(server: ServerContext, name: string): Promise<MatchingsDetail | null> {
  await runManifest(server, name);
  const path = server.store.matchings(name);
  if (!existsSync(path)) return null;
  const report = await server.manifests.read(path, matchingsKind);
  const { manifests } = await server.seedStability.comparisons();
  const used = new Map(report.comparisons.map((one) => [one.name, one.createdAt]));
  const outdated = manifests.some(
    ({ name: comparison, createdAt }) => used.has(comparison) && used.get(comparison) !== createdAt,
  );
  return { report, outdated };
}

/** Flows smaller than this share of the latent are left out of the picture. */
const leastSent = 0.1;

/** Empty where flows were not measured; dictionaries of the run itself first. */
export async function latentFlows(
  server: ServerContext,
  { run, seed, latent }: FeatureInput,
): Promise<LatentFlows[]> {
  await runManifest(server, run);
  const path = server.store.flows(run, seed);
  // The document vouches for the table.
  if (!existsSync(server.store.matchings(run)) || !existsSync(path)) return [];
  const rows = await queryRows(
    flowTable,
    `WITH flows AS (SELECT ${columnList(flowTable)} FROM ${storedTable(flowTable)}),
          own AS (SELECT * FROM flows WHERE latent = $latent)
     SELECT flows.* FROM flows
     WHERE flows.latent = $latent OR EXISTS (
       SELECT 1 FROM own WHERE own.run = flows.run AND own.seed = flows.seed AND own.other = flows.other
         AND own.other >= 0 AND own.sent >= ${leastSent} AND flows.received >= ${leastSent})
     ORDER BY flows.latent <> $latent, flows.sent * flows.carried DESC, flows.latent, flows.other`,
    { path, latent },
  );
  const own = await server.labels.of({ run, seed });
  const places = new Map(
    rows.filter((row) => row.latent === latent).map((row) => [`${row.run} ${row.seed}`, row]),
  );
  const found = await Promise.all(
    [...places.values()].map(async ({ run: toRun, seed: toSeed, kind, carried }) => {
      const there = rows.filter((row) => row.run === toRun && row.seed === toSeed && row.other >= 0);
      const targets = new Set(
        there.filter((row) => row.latent === latent && row.sent >= leastSent).map(({ other }) => other),
      );
      const flows = there.filter(({ other }) => targets.has(other));
      const labels = await server.labels.of({ run: toRun, seed: toSeed });
      return {
        run: toRun,
        seed: toSeed,
        kind: flowKindNames.find((name) => name === kind) ?? 'scattered',
        carried,
        sources: [...new Set([latent, ...flows.map((row) => row.latent)])].map((one) => ({
          latent: one,
          label: own.name(one) ?? null,
        })),
        targets: [...targets].map((one) => ({ latent: one, label: labels.name(one) ?? null })),
        flows: flows.map((row) => ({
          from: row.latent,
          to: row.other,
          mass: row.sent * row.carried,
          sent: row.sent,
          received: row.received,
          cosine: row.cosine,
        })),
      };
    }),
  );
  return found.sort(
    (x, y) => Number(y.run === run) - Number(x.run === run) || x.run.localeCompare(y.run) || x.seed - y.seed,
  );
}
