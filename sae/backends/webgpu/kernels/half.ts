import type { Program } from '../programs.ts';

const threads = 256;

/**
 * out [rows, d]: x − centre in 16 bits (IEEE binary16: 11 significant bits, at most 65,504, which larger numbers become).
 * What is not finite becomes NaN, and so stays what it is to a selection.
 *
 * A pre-activation made of such operands is off by at most 2⁻¹⁰ Σ |x − centre|·|w|, besides what f32 rounds, as long as
 * they stay above 6·10⁻⁵, below which 16 bits hold fewer places. half.test.ts checks that, and that the mean loss of a run of 60 steps stays within 0.2 % of the one in f32. On lavapipe it was off by
 * 2·10⁻⁴ (TopK) and 5·10⁻⁴ (JumpReLU), and single steps, which choose other latents now and then, by up to 4 %.
 */
export function toHalf(size: { rows: number; d: number; centred: boolean }): Program {
  const { rows, d, centred } = size;
  return {
    label: 'toHalf',
    half: true,
    bindings: [
      ['x', 'read', 'u32'],
      ['out', 'write', 'f16'],
      ...(centred ? [['centre', 'read', 'u32'] as const] : []),
    ],
    uniforms: { count: ['u32', rows * d], d: ['u32', d] },
    threads,
    functions: `
fn isFinite(bits: u32) -> bool { return (bits & 0x7f800000u) != 0x7f800000u; }`,
    body: `
  let i = groupIndex * ${threads}u + thread;
  if (i >= u.count) { return; }
  var finite = isFinite(x[i]);
  var value = bitcast<f32>(x[i]);
  ${centred ? 'finite &= isFinite(centre[i % u.d]);\n  value -= bitcast<f32>(centre[i % u.d]);' : ''}
  let notANumber = bitcast<vec2<f16>>(select(0x7e007e00u, 0u, finite)).x;
  out[i] = select(notANumber, f16(clamp(value, -65504.0, 65504.0)), finite);`,
  };
}

/** Workgroups of it. */
export const toHalfGroups = (rows: number, d: number) => Math.ceil((rows * d) / threads);
