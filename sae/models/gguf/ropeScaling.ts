/**
 * Stretched rotary positions. Llama 3.1's are stored as one divisor a frequency (`rope_freqs`); `transformers` computes
 * them from four numbers (modeling_rope_utils.py, `_compute_llama3_parameters`). The numbers that Meta uses are tried, and
 * anything else is refused.
 */
import type { GgufFile } from '../../formats/gguf/ggufFile.ts';
import type { GgufFields } from './ggufFields.ts';

/** `rope_scaling` of config.json, or nothing. Throws `bad_input` for a kind that can't be told. */
export function ropeScaling(fields: GgufFields, file: GgufFile): Record<string, unknown> {
  const kind = fields.optionalText(fields.own('rope.scaling.type')) ?? 'none';
  const factor = fields.optionalNumber(fields.own('rope.scaling.factor'));
  const original = fields.optionalNumber(fields.own('rope.scaling.original_context_length'));
  if (file.has('rope_freqs.weight')) {
    const divisors = file.float32('rope_freqs.weight');
    if (divisors.every((divisor) => divisor === 1)) return {};
    if (kind !== 'none') throw fields.refuse(`has rope_freqs beside rope scaling of type '${kind}'`);
    return { rope_scaling: llama3Scaling(fields, divisors) };
  }
  switch (kind) {
    case 'none':
      return {};
    case 'linear':
      if (factor === undefined) throw fields.refuse('has linear rope scaling without a factor');
      return factor === 1 ? {} : { rope_scaling: { rope_type: 'linear', factor } };
    case 'yarn':
      if (factor === undefined || original === undefined)
        throw fields.refuse('has YaRN rope scaling without factor and original context');
      return {
        rope_scaling: { rope_type: 'yarn', factor, original_max_position_embeddings: original },
      };
    default:
      throw fields.refuse(`has rope scaling of type '${kind}', which can't be run`);
  }
}

function llama3Scaling(fields: GgufFields, divisors: Float32Array): Record<string, unknown> {
  const theta = fields.optionalNumber(fields.own('rope.freq_base')) ?? 10_000;
  const factor = Math.max(...divisors);
  const scaling = {
    rope_type: 'llama3',
    factor,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };
  divisors.forEach((divisor, i) => {
    const wavelength = 2 * Math.PI * theta ** (i / divisors.length);
    const expected = llama3Divisor(wavelength, scaling);
    if (Math.abs(divisor - expected) > 1e-4 * expected)
      throw fields.refuse(
        `has rotary frequencies that aren't Llama 3.1's (number ${i} is divided by ${divisor} rather than ${expected})`,
      );
  });
  return scaling;
}

function llama3Divisor(
  wavelength: number,
  s: {
    factor: number;
    low_freq_factor: number;
    high_freq_factor: number;
    original_max_position_embeddings: number;
  },
): number {
  const turns = s.original_max_position_embeddings / wavelength;
  if (turns > s.high_freq_factor) return 1;
  if (turns < s.low_freq_factor) return s.factor;
  const smooth = (turns - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  return 1 / ((1 - smooth) / s.factor + smooth);
}
