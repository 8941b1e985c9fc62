import { existsSync } from 'node:fs';
import {
  isotropicExceedance,
  isotropicMmcs,
  largestExceedance,
} from '../../sae/comparison/chance/isotropicLaw.ts';
import { LazyscopeError } from '../../sae/errors.ts';
import { comparisonKind } from '../../sae/spec/manifests/comparison.ts';
import type { ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import { sharedCurveTable } from '../../sae/spec/tables/sharedCurve.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, storedTable } from '../../sae/store/tableSql.ts';
import type { ServerContext } from '../context.ts';
import type { ComparisonDetail, OrphanInput, OrphanPage } from '../contract/comparisons.ts';
import { indexedDictionary } from './dictionaries.ts';
import { featurePage } from './featureTable.ts';

export async function listComparisons(server: ServerContext): Promise<ComparisonManifest[]> {
  return (await server.seedStability.comparisons()).manifests;
}

export async function comparisonManifest(
  { store, manifests }: ServerContext,
  name: string,
): Promise<ComparisonManifest> {
  const path = store.comparisonManifest(name);
  if (!existsSync(path))
    throw new LazyscopeError('not_found', `There is no comparison '${name}': see the list of comparisons.`);
  return manifests.read(path, comparisonKind);
}

export async function getComparison(server: ServerContext, name: string): Promise<ComparisonDetail> {
  const manifest = await comparisonManifest(server, name);
  const curve = await queryRows(
    sharedCurveTable,
    `SELECT ${columnList(sharedCurveTable)} FROM ${storedTable(sharedCurveTable)} ORDER BY threshold`,
    { path: server.store.comparisonCurve(name) },
  );
  const d = manifest.chance ? undefined : (await server.seedStability.run(manifest.a.run))?.d;
  const latents = manifest.measures?.otherLatents ?? manifest.latents;
  return {
    manifest,
    mapped: existsSync(server.store.comparisonMap(name)),
    curve:
      d === undefined
        ? curve
        : curve.map((row) => ({
            ...row,
            nearestChance: largestExceedance(isotropicExceedance(row.threshold, d), latents),
          })),
    isotropicChance: d === undefined ? null : { mmcs: isotropicMmcs(d, latents) },
  };
}

/** Lists orphans, the live latents that are shared with no other seed. Without a comparison with another seed there are none. */
export async function listOrphans(server: ServerContext, input: OrphanInput): Promise<OrphanPage> {
  const run = await indexedDictionary(server, input);
  return featurePage(server, run, { ...input, filter: { maxStability: 0, dead: false } });
}
