/** What a run has to do with other spaces and other configurations, as `lazyscope spaces` and `lazyscope stability` stored it. */
import { spacesKind, type SpacesReport } from '../../sae/spec/manifests/spaces.ts';
import { stabilitySweepKind, type StabilitySweep } from '../../sae/spec/manifests/stabilitySweep.ts';
import type { ServerContext } from '../context.ts';
import { runManifest } from './dictionaries.ts';
import { manifestsIn } from './manifestsIn.ts';

/** Comparisons of a dictionary of the run with one of another space, in the order of their names. */
export async function spacesOf(server: ServerContext, run: string): Promise<SpacesReport[]> {
  await runManifest(server, run);
  const { store, manifests } = server;
  const found = await manifestsIn(manifests, {
    folder: store.spaces(),
    pathOf: (name) => store.spacesReport(name),
    kind: spacesKind,
  });
  return found.manifests.filter(({ a, b }) => a.run === run || b.run === run);
}

/** Sweeps that the run is a configuration of, in the order of their names. */
export async function sweepsOf(server: ServerContext, run: string): Promise<StabilitySweep[]> {
  await runManifest(server, run);
  const { store, manifests } = server;
  const found = await manifestsIn(manifests, {
    folder: store.sweeps(),
    pathOf: (name) => store.sweepStability(name),
    kind: stabilitySweepKind,
  });
  return found.manifests.filter(({ rows }) => rows.some((row) => row.run === run));
}
