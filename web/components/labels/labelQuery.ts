/** The state of the Labels page in the address, and the query that it stands for. */
import { labelSourceKinds, type LabelSourceKind } from '../../../sae/spec/labelSources.ts';
import { wholeNumber } from '../../format/wholeNumber.ts';

export const labelDefaults = {
  find: '',
  run: '',
  seed: '',
  source: '',
  list: '',
  sort: 'feature',
  order: 'asc',
  offset: '0',
};
export type LabelState = typeof labelDefaults;

const sorts = ['feature', 'label', 'source', 'detection', 'fuzzing', 'updatedAt'] as const;

export interface LabelFilter {
  run?: string;
  seed?: number;
  source?: LabelSourceKind;
  text?: string;
  list?: string;
}

export function labelFilter(state: LabelState): LabelFilter {
  const seed = wholeNumber(state.seed);
  const source = labelSourceKinds.find((kind) => kind === state.source);
  const text = state.find.trim().slice(0, 200);
  return {
    ...(state.run ? { run: state.run } : {}),
    ...(seed === undefined ? {} : { seed }),
    ...(source ? { source } : {}),
    ...(text ? { text } : {}),
    ...(state.list ? { list: state.list } : {}),
  };
}

/** Values in an address that can't be parsed get their defaults. */
export function labelQuery(state: LabelState) {
  return {
    ...labelFilter(state),
    sort: sorts.find((sort) => sort === state.sort) ?? 'feature',
    order: state.order === 'desc' ? ('desc' as const) : ('asc' as const),
    offset: wholeNumber(state.offset) ?? 0,
    limit: 50,
  };
}
