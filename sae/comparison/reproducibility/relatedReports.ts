/** What else the store knows of how reproducible a run is, beside its own report: what other commands measured. */
import { existsSync, readdirSync } from 'node:fs';
import { comparisonKind, type ComparisonManifest } from '../../spec/manifests/comparison.ts';
import type { ManifestKind } from '../../spec/manifests/manifestKind.ts';
import { matchingsKind, type Matchings } from '../../spec/manifests/matchings.ts';
import type { Reproducibility } from '../../spec/manifests/reproducibility.ts';
import { spacesKind, type SpacesReport } from '../../spec/manifests/spaces.ts';
import { stabilitySweepKind, type StabilitySweep } from '../../spec/manifests/stabilitySweep.ts';
import { namePattern } from '../../spec/names.ts';
import type { StoreLayout } from '../../store/layout.ts';
import { readManifest } from '../../store/readManifest.ts';

export interface RelatedReports {
  /** Of each pair of seeds: MMCS, PW-MCC and the shared fraction, each with what chance gives. */
  readonly pairs: readonly (Pick<ComparisonManifest, 'a' | 'b' | 'mmcs' | 'pwMcc' | 'shared'> & {
    readonly chance: ComparisonManifest['chance'] | null;
  })[];
  /** Null where they were not judged. */
  readonly matchings: Matchings | null;
  /** Those that a dictionary of the run is part of. */
  readonly spaces: readonly SpacesReport[];
  /** Those that the run is a configuration of. */
  readonly sweeps: readonly StabilitySweep[];
}

/** Throws what readers throw for a damaged document. */
export async function relatedReports(
  store: StoreLayout,
  { run, comparisons }: Pick<Reproducibility, 'run' | 'comparisons'>,
): Promise<RelatedReports> {
  const pairs = await Promise.all(
    comparisons.map(({ name }) => readManifest(store.comparisonManifest(name), comparisonKind)),
  );
  const matchings = store.matchings(run);
  const spaces = await allOf(store.spaces(), (name) => store.spacesReport(name), spacesKind);
  const sweeps = await allOf(store.sweeps(), (name) => store.sweepStability(name), stabilitySweepKind);
  return {
    pairs: pairs.map(({ a, b, mmcs, pwMcc, shared, chance = null }) => ({
      a,
      b,
      mmcs,
      pwMcc,
      shared,
      chance,
    })),
    matchings: existsSync(matchings) ? await readManifest(matchings, matchingsKind) : null,
    spaces: spaces.filter(({ a, b }) => a.run === run || b.run === run),
    sweeps: sweeps.filter(({ rows }) => rows.some((row) => row.run === run)),
  };
}

async function allOf<Document extends { version: number }>(
  folder: string,
  pathOf: (name: string) => string,
  kind: ManifestKind<Document>,
): Promise<Document[]> {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => namePattern.test(name) && existsSync(pathOf(name)));
  return Promise.all(names.sort().map((name) => readManifest(pathOf(name), kind)));
}
