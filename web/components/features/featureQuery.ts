/** The feature table's state in the address, and the server query that corresponds to it. */
import { featureView } from '../../../sae/spec/tables/features.ts';
import { sortsOf, type SortOf } from '../../../sae/spec/tables/table.ts';
import { readLatents } from '../../format/latentList.ts';
import { wholeNumber } from '../../format/wholeNumber.ts';

export const featureTableDefaults = {
  /** What comes back in other seeds comes first, and among equals what fires most strongly. */
  sort: 'stability',
  order: 'desc',
  offset: '0',
  /** `live`, `dead`, `all`. */
  alive: 'live',
  token: '',
  /** Percentages, as typed. */
  least: '',
  most: '',
  /** `any`, `shared` (in every other seed), `orphan` (in none). */
  stability: 'any',
  /** `any`, `yes`, `no`. */
  labelled: 'any',
  /** Only these, as web/format/latentList.ts writes them. */
  latents: '',
};

export type FeatureTableState = typeof featureTableDefaults;

export type FeatureSort = SortOf<typeof featureView>;

export interface FeatureQuery {
  run: string;
  seed: number;
  sort: FeatureSort;
  order: 'asc' | 'desc';
  offset: number;
  limit: number;
  filter: {
    dead?: boolean;
    text?: string;
    minDensity?: number;
    maxDensity?: number;
    minStability?: number;
    maxStability?: number;
    latent?: number;
    latents?: number[];
    labelled?: boolean;
  };
}

/** Values in an address that can't be parsed get their defaults, so that old links still work. */
export function featureQuery(run: string, seed: number, state: FeatureTableState): FeatureQuery {
  const least = share(state.least);
  const most = share(state.most);
  // `#12` means latent 12; plain `12` is searched for in the text, which may have digits.
  const latents = readLatents(state.latents);
  const latent = /^#(\d+)$/.exec(state.token.trim())?.[1];
  const text = state.token.trim().slice(0, 200);
  return {
    run,
    seed,
    sort: sortsOf(featureView).find((sort) => sort === state.sort) ?? 'stability',
    order: state.order === 'asc' ? 'asc' : 'desc',
    offset: wholeNumber(state.offset) ?? 0,
    limit: 50,
    filter: {
      ...(state.alive === 'all' || latent ? {} : { dead: state.alive === 'dead' }),
      ...(latents ? { latents } : {}),
      ...(latent ? { latent: Number(latent) } : text ? { text } : {}),
      ...(least === undefined ? {} : { minDensity: least }),
      ...(most === undefined ? {} : { maxDensity: most }),
      ...(state.stability === 'shared' ? { minStability: 1 } : {}),
      ...(state.stability === 'orphan' ? { maxStability: 0 } : {}),
      ...(state.labelled === 'yes' || state.labelled === 'no' ? { labelled: state.labelled === 'yes' } : {}),
    },
  };
}

/** `0.5` typed into a field marked % is the share 0.005. */
function share(typed: string): number | undefined {
  if (!typed.trim()) return undefined;
  const value = Number(typed.replace(',', '.')) / 100;
  return Number.isFinite(value) && value >= 0 && value <= 1 ? value : undefined;
}
