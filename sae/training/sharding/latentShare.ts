/** A dictionary handed out to the processes that each hold some of its latents, and gathered again. */
import { type DictionaryArrays, parameterNames } from '../../autoencoders/dictionary.ts';
import { latentShares } from '../../ops/latentShares.ts';
import type { Communicator } from './communicator.ts';

/** Whether a parameter has a row for each latent; the others are whole in every process. */
const byLatent = (name: (typeof parameterNames)[number]) => name !== 'bDec' && name !== 'wSkip';

/** This process's share of the dictionary that process 0 has; the others give null. `shape` says which parameters there are. */
export function scatterDictionary(
  communicator: Communicator,
  whole: DictionaryArrays | null,
  { width, lengths }: DictionaryShape,
): DictionaryArrays {
  const shares = latentShares(width, communicator.size);
  const own: Partial<Record<ParameterName, Float32Array | null>> = { logThreshold: null };
  for (const name of parameterNames) {
    const length = lengths[name];
    if (length === undefined) continue;
    if (!byLatent(name)) {
      const values = whole?.[name]?.slice() ?? new Float32Array(length);
      communicator.broadcast(values);
      own[name] = values;
      continue;
    }
    const counts = shares.map(({ begin, end }) => (end - begin) * (length / width));
    const part = new Float32Array(counts[communicator.rank]);
    communicator.scatter(whole?.[name] ?? null, part, counts);
    own[name] = part;
  }
  return own as DictionaryArrays;
}

type ParameterName = (typeof parameterNames)[number];

export interface DictionaryShape {
  /** Latents. */
  readonly width: number;
  /** Elements of each parameter of the whole dictionary. */
  readonly lengths: Partial<Record<ParameterName, number>>;
}

export function shapeOf(whole: DictionaryArrays): DictionaryShape {
  const lengths: DictionaryShape['lengths'] = {};
  for (const name of parameterNames) {
    const values = whole[name];
    if (values) lengths[name] = values.length;
  }
  return { width: whole.bEnc.length, lengths };
}

/** The whole dictionary in process 0; null in the others. `own` is this process's share. */
export function gatherDictionary(
  communicator: Communicator,
  own: DictionaryArrays,
  width: number,
): DictionaryArrays | null {
  const shares = latentShares(width, communicator.size);
  const leads = communicator.rank === 0;
  const whole = { ...own };
  for (const name of parameterNames) {
    const values = own[name];
    if (!values || !byLatent(name)) continue;
    const row = values.length / own.bEnc.length;
    const all = leads ? new Float32Array(width * row) : null;
    const lengths = shares.map(({ begin, end }) => (end - begin) * row);
    communicator.gather(values, all, lengths);
    if (all) Object.assign(whole, { [name]: all });
  }
  return leads ? whole : null;
}
