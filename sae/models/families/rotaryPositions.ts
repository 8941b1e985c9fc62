/**
 * Rotary positions from config.json: the angles of each component, by the scaling that `rope_parameters` (or, in older
 * files, `rope_scaling`) names. Sources: Su et al., 2104.09864; linear, Chen et al., 2306.15595; Llama 3,
 * 2407.21783 (and its reference code); YaRN, Peng et al., 2309.00071; LongRoPE, Ding et al., 2402.13753.
 */
import { z } from 'zod';
import type { Rotary } from '../modelConfig.ts';
import { positive, size } from './commonFields.ts';
import type { Refuse } from './family.ts';

const factors = z.array(positive);

/** Strict: an unknown key would change the angles unseen. */
export const ropeParameters = z.strictObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: positive.optional(),
  partial_rotary_factor: positive.max(1).nullish(),
  factor: positive.nullish(),
  original_max_position_embeddings: size.nullish(),
  low_freq_factor: positive.nullish(),
  high_freq_factor: positive.nullish(),
  attention_factor: positive.nullish(),
  beta_fast: positive.nullish(),
  beta_slow: positive.nullish(),
  mscale: z.number().nullish(),
  mscale_all_dim: z.number().nullish(),
  truncate: z.boolean().nullish(),
  short_factor: factors.nullish(),
  long_factor: factors.nullish(),
  /** Only says that something was finetuned so. */
  finetuned: z.unknown().optional(),
});
export type RopeParameters = z.infer<typeof ropeParameters>;

export const ropeFields = {
  rope_theta: positive.nullish(),
  rope_scaling: ropeParameters.nullish(),
  rope_parameters: ropeParameters.nullish(),
  partial_rotary_factor: positive.max(1).nullish(),
};

interface RopeFields {
  rope_theta?: number | null | undefined;
  rope_scaling?: RopeParameters | null | undefined;
  rope_parameters?: RopeParameters | null | undefined;
  partial_rotary_factor?: number | null | undefined;
}

/** `share`: how much of a head turns where the file is silent; without it the family turns whole heads only. */
export interface RopeDefaults {
  theta?: number;
  share?: number;
}

/**
 * One set of parameters of what a file may say in several places. As in transformers, `rope_scaling` goes before
 * `rope_parameters`, and a base or a share inside goes before one at the top level.
 */
export function ropeOf(
  hf: RopeFields,
  refuse: Refuse,
  { theta = 10_000, share }: RopeDefaults = {},
): RopeParameters {
  const inside: RopeParameters = hf.rope_scaling ?? hf.rope_parameters ?? {};
  const given = inside.partial_rotary_factor ?? hf.partial_rotary_factor;
  if (share === undefined && (given ?? 1) !== 1)
    throw refuse(`has partial_rotary_factor ${given}, which its family does not support`);
  return {
    ...inside,
    rope_theta: inside.rope_theta ?? hf.rope_theta ?? theta,
    partial_rotary_factor: given ?? share ?? 1,
  };
}

export interface RotarySizes {
  headWidth: number;
  contextLength: number;
  pairs?: Rotary['pairs'];
  /** Components that turn, where the file says so directly (GPT-J). */
  dims?: number;
  /** A file's own field for it goes before the parameters' (Phi-3). */
  originalContext?: number;
}

/** The turning of one layer. */
export function rotary(parameters: RopeParameters, sizes: RotarySizes, refuse: Refuse): Rotary {
  const { headWidth, pairs = 'halves' } = sizes;
  const dims = sizes.dims ?? Math.trunc(headWidth * (parameters.partial_rotary_factor ?? 1));
  if (dims % 2 !== 0 || dims > headWidth || dims === 0)
    throw refuse(
      dims === headWidth
        ? `has heads of odd width ${headWidth}, which rotary embedding can't halve`
        : `makes ${dims} of a head's ${headWidth} components turn, which rotary embedding can't pair up`,
    );
  const theta = parameters.rope_theta ?? 10_000;
  const plain = Array.from({ length: dims / 2 }, (_, i) => theta ** (-i / (dims / 2)));
  const { frequencies, factor } = scaled(plain, { ...parameters, rope_theta: theta }, sizes, refuse);
  return { dims, pairs, theta, frequencies, factor };
}

function scaled(
  plain: readonly number[],
  parameters: RopeParameters & { rope_theta: number },
  sizes: RotarySizes,
  refuse: Refuse,
): Pick<Rotary, 'frequencies' | 'factor'> {
  const kind = parameters.rope_type ?? parameters.type ?? 'default';
  const need = (key: 'factor' | 'low_freq_factor' | 'high_freq_factor'): number => {
    const value = parameters[key];
    if (value === undefined || value === null) throw refuse(`has rope_type '${kind}' without ${key}`);
    return value;
  };
  const original =
    sizes.originalContext ?? parameters.original_max_position_embeddings ?? sizes.contextLength;
  switch (kind) {
    case 'default':
    // Dynamic scaling begins beyond max_position_embeddings, and no text here is longer than that.
    case 'dynamic':
      return { frequencies: plain, factor: 1 };
    case 'linear': {
      const factor = need('factor');
      return { frequencies: plain.map((frequency) => frequency / factor), factor: 1 };
    }
    case 'llama3':
      return {
        frequencies: llama3(plain, {
          factor: need('factor'),
          low: need('low_freq_factor'),
          high: need('high_freq_factor'),
          original,
        }),
        factor: 1,
      };
    case 'yarn':
      return yarn(plain, parameters, original, sizes.contextLength);
    case 'longrope':
    case 'su':
      return longRope(
        plain,
        parameters,
        { contextLength: sizes.contextLength, originalContext: original },
        refuse,
      );
    default:
      throw refuse(`has rotary positions of type '${kind}', which is not supported`);
  }
}

/** Long wavelengths are stretched by `factor`, short ones stay, those between are blended. */
function llama3(
  plain: readonly number[],
  { factor, low, high, original }: { factor: number; low: number; high: number; original: number },
): number[] {
  return plain.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength > original / low) return frequency / factor;
    if (wavelength < original / high) return frequency;
    const share = (original / wavelength - low) / (high - low);
    return (1 - share) * (frequency / factor) + share * frequency;
  });
}

function yarn(
  plain: readonly number[],
  parameters: RopeParameters & { rope_theta: number },
  original: number,
  contextLength: number,
): Pick<Rotary, 'frequencies' | 'factor'> {
  const { rope_theta: theta, mscale, mscale_all_dim: mscaleAll } = parameters;
  const stretch = parameters.factor ?? contextLength / original;
  const dims = 2 * plain.length;
  // The component that turns so many times over the original context.
  const component = (turns: number) =>
    (dims * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [first, last] = [component(parameters.beta_fast || 32), component(parameters.beta_slow || 1)];
  const whole = parameters.truncate ?? true;
  const low = Math.max(whole ? Math.floor(first) : first, 0);
  const high = Math.min(whole ? Math.ceil(last) : last, dims - 1);
  const width = low === high ? 0.001 : high - low;
  const frequencies = plain.map((frequency, i) => {
    const stretched = Math.min(1, Math.max(0, (i - low) / width));
    return (frequency / stretch) * stretched + frequency * (1 - stretched);
  });
  const temperature = (scale: number) => (stretch <= 1 ? 1 : 0.1 * scale * Math.log(stretch) + 1);
  const factor =
    parameters.attention_factor ??
    (mscale && mscaleAll ? temperature(mscale) / temperature(mscaleAll) : temperature(1));
  return { frequencies, factor };
}

/** Within the original context, which is all that phi3.ts lets a text be long: the short factors. */
function longRope(
  plain: readonly number[],
  parameters: RopeParameters,
  { contextLength, originalContext }: { contextLength: number; originalContext: number },
  refuse: Refuse,
): Pick<Rotary, 'frequencies' | 'factor'> {
  const short = parameters.short_factor;
  if (short?.length !== plain.length)
    throw refuse(`has rope_type 'longrope' without a short_factor for each of ${plain.length} pairs`);
  const stretch = parameters.factor ?? contextLength / originalContext;
  return {
    frequencies: plain.map((frequency, i) => frequency / short[i]),
    factor:
      parameters.attention_factor ??
      (stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(originalContext))),
  };
}
