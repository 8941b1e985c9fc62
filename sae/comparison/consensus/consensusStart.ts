/** Consensus dictionaries of disjoint groups of a run's seeds, as training is to begin with them (METHODS.md §10). */
import type { DictionaryArrays } from '../../autoencoders/dictionary.ts';
import { readDictionary, type StoredDictionary } from '../../autoencoders/dictionaryFile.ts';
import { LazyscopeError } from '../../errors.ts';
import type { Report } from '../../progress.ts';
import type { RunManifest } from '../../spec/manifests/run.ts';
import type { StoreLayout } from '../../store/layout.ts';
import type { Component } from './agreedLatents.ts';
import { chooseComponents, consensusParameters } from './consensusParameters.ts';
import { poolSeeds, refuseNormalising } from './poolSeeds.ts';

export interface ConsensusOptions {
  readonly store: StoreLayout;
  readonly run: RunManifest;
  /** Seeds of the run, in as many groups as there are to be dictionaries. */
  readonly groups: readonly (readonly number[])[];
  /** Of how many seeds of its group a latent must be to be taken for sure. */
  readonly minSupport: number;
  readonly threshold: number;
  readonly report: Report;
  readonly signal: AbortSignal | undefined;
}

export type Consensus = NonNullable<RunManifest['consensus']>;

export interface ConsensusStart {
  readonly pedigree: Consensus;
  /** What takes the place of parameters that were drawn at random, one dictionary a group; `scale` is the trainer's. */
  begin(drawn: readonly DictionaryArrays[], scale: number): DictionaryArrays[];
}

/** Seeds in `count` groups, each of neighbours in the list and of equal size to within one. */
export function disjointGroups(seeds: readonly number[], count: number): number[][] {
  return Array.from({ length: count }, (_, group) =>
    seeds.slice(Math.floor((group * seeds.length) / count), Math.floor(((group + 1) * seeds.length) / count)),
  );
}

/** Throws 'bad_input' for a group of fewer seeds than the support, or than two, and for a support below two. */
export async function consensusStart(options: ConsensusOptions): Promise<ConsensusStart> {
  const { run, groups, minSupport, threshold } = options;
  if (!(Number.isInteger(minSupport) && minSupport >= 2))
    throw new LazyscopeError(
      'bad_input',
      `A latent is agreed on by two seeds or more, but the support is ${minSupport}.`,
    );
  const small = groups.find((group) => group.length < minSupport);
  if (small)
    throw new LazyscopeError(
      'bad_input',
      `Seeds ${groups.flat().join(', ')} in ${groups.length} groups leave one with ${small.length}, which can't have latents of ${minSupport}: make fewer groups, ask for less support, or train more seeds.`,
    );
  const { width } = run.config;
  const made: (Made & { pedigree: Consensus['dictionaries'][number] })[] = [];
  for (const seeds of groups) {
    const { parents, components, values } = await poolSeeds(run, seeds, options);
    const { chosen, agreed } = chooseComponents(components, values, { width, minSupport });
    const support = seeds.map(
      (_, at) => components.filter(({ members }) => members.length === at + 1).length,
    );
    made.push({ parents, chosen, pedigree: { parents: [...seeds], agreed, support } });
  }
  return {
    pedigree: {
      run: run.name,
      minSupport,
      threshold,
      dictionaries: made.map(({ pedigree }) => pedigree),
    },
    begin: beginWith(made),
  };
}

/**
 * The same for single seeds as they are: what training further alone does to them, beside a consensus that was trained as much further.
 */
export async function continuedStart(
  run: RunManifest,
  seeds: readonly number[],
  { store, threshold }: Pick<ConsensusOptions, 'store' | 'threshold'>,
): Promise<ConsensusStart> {
  const { width } = run.config;
  const made: Made[] = [];
  for (const seed of seeds)
    made.push({
      parents: [await readDictionary(store.dictionary(run.name, seed))],
      chosen: Array.from({ length: width }, (_, latent) => ({
        members: [{ dictionary: 0, latent }],
        cosine: 0,
      })),
    });
  return {
    pedigree: {
      run: run.name,
      minSupport: 1,
      threshold,
      dictionaries: seeds.map((seed) => ({ parents: [seed], agreed: width, support: [width] })),
    },
    begin: beginWith(made),
  };
}

interface Made {
  readonly parents: readonly StoredDictionary[];
  readonly chosen: readonly Component[];
}

function beginWith(made: readonly Made[]): ConsensusStart['begin'] {
  for (const { parents } of made) parents.forEach(refuseNormalising);
  return (drawn, scale) =>
    made.map(({ parents, chosen }, at) => consensusParameters(parents, chosen, { scale, like: drawn[at] }));
}
