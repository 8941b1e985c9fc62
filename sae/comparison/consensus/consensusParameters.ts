/** The dictionary that training begins with: means of what the parents agree on, and the most valuable of what they do not. */
import type { DictionaryArrays } from '../../autoencoders/dictionary.ts';
import type { StoredDictionary } from '../../autoencoders/dictionaryFile.ts';
import { LazyscopeError } from '../../errors.ts';
import { describedArchitecture } from '../../spec/architectures/architectures.ts';
import type { Component } from './agreedLatents.ts';

export interface ConsensusChoice {
  /** One component a latent of the dictionary to be, in its order. */
  readonly chosen: readonly Component[];
  /** How many of them have the support that was asked for. */
  readonly agreed: number;
}

/**
 * The components with members of at least `minSupport` dictionaries, those of most members and nearest counterparts first, filled up
 * to `width` with the rest in the order of their `value` (the mean over members of values [latents] by dictionary). Both kinds are then
 * put in the order that their members have in the parents, which matters to architectures whose latents come in levels.
 */
export function chooseComponents(
  components: readonly Component[],
  values: readonly Float64Array[],
  { width, minSupport }: { width: number; minSupport: number },
): ConsensusChoice {
  const value = ({ members }: Component) =>
    members.reduce((sum, { dictionary, latent }) => sum + values[dictionary][latent], 0) / members.length;
  const agreed = components
    .filter(({ members }) => members.length >= minSupport)
    .sort((p, q) => q.members.length - p.members.length || q.cosine - p.cosine)
    .slice(0, width);
  const rest = components
    .filter(({ members }) => members.length < minSupport)
    .map((component) => ({ component, value: value(component) }))
    .sort((p, q) => q.value - p.value)
    .slice(0, width - agreed.length)
    .map(({ component }) => component);
  const place = ({ members }: Component) =>
    members.reduce((sum, { latent }) => sum + latent, 0) / members.length;
  const chosen = [...agreed, ...rest].sort((p, q) => place(p) - place(q));
  return { chosen, agreed: agreed.length };
}

/**
 * In unit-decoder form, where a latent's activation is its share of x in units of length: rows of W_dec and W_enc, b_enc and θ are means
 * over members, W_dec's of norm 1 again; b_dec is the mean over parents, to which every b_enc is brought first. All in units of the
 * activations times `scale`, as trainers have them.
 *
 * `like` are parameters of the architecture: what they have besides, a threshold or a gate, is made too.
 *
 * Throws 'bad_input' for a chosen latent whose decoder rows add up to nothing.
 */
export function consensusParameters(
  parents: readonly StoredDictionary[],
  chosen: readonly Component[],
  { scale, like }: { scale: number; like: DictionaryArrays },
): DictionaryArrays {
  const [{ d, metadata }] = parents;
  const width = chosen.length;
  const { subtractsDecoderBias } = describedArchitecture(metadata.architecture);
  const bDec = new Float32Array(d);
  for (const parent of parents)
    for (let j = 0; j < d; j++) bDec[j] += (scale * parent.bDec[j]) / parents.length;
  const [wEnc, wDec] = [new Float32Array(width * d), new Float32Array(width * d)];
  const [bEnc, threshold] = [new Float32Array(width), new Float32Array(width)];
  chosen.forEach(({ members }, row) => {
    const to = row * d;
    for (const { dictionary, latent } of members) {
      const parent = parents[dictionary];
      const from = latent * d;
      const norm = normOf(parent.wDec.subarray(from, from + d));
      let moved = scale * parent.bEnc[latent];
      for (let j = 0; j < d; j++) {
        wEnc[to + j] += (norm * parent.wEnc[from + j]) / members.length;
        if (norm > 0) wDec[to + j] += parent.wDec[from + j] / norm;
        if (subtractsDecoderBias) moved += parent.wEnc[from + j] * (bDec[j] - scale * parent.bDec[j]);
      }
      bEnc[row] += (norm * moved) / members.length;
      threshold[row] += (norm * scale * Math.max(0, parent.threshold?.[latent] ?? 0)) / members.length;
    }
    const norm = normOf(wDec.subarray(to, to + d));
    if (!(norm > 0))
      throw new LazyscopeError(
        'bad_input',
        `Latent ${members[0].latent} of seed ${parents[members[0].dictionary].metadata.seed} has a decoder row of zeros, and no direction: leave that seed out.`,
      );
    for (let j = 0; j < d; j++) wDec[to + j] /= norm;
  });
  const common = { wEnc, wDec, bDec };
  if (like.rMag)
    // The gate of a stored dictionary is its threshold: W_enc x + b_mag > θ where the gate's W_enc x + b_mag − θ > 0.
    return {
      ...common,
      bEnc: bEnc.map((bias, i) => bias - threshold[i]),
      logThreshold: null,
      rMag: new Float32Array(width),
      bMag: bEnc,
    };
  const logThreshold =
    like.logThreshold && threshold.map((theta) => Math.log(Math.max(theta, leastThreshold)));
  return { ...common, bEnc, logThreshold };
}

/** θ is stored as its logarithm while it is trained. */
const leastThreshold = 1e-6;

const normOf = (row: Float32Array) => Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
