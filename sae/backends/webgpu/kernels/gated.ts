/**
 * The gradients that a gate has a part in (Gated, METHODS.md §1), from the magnitudes m and the gate's pre-activations π at the same places, and the
 * products of W_dec's rows with the errors of both reconstructions. ∂L/∂m is that of the magnitudes' reconstruction where m > 0, ∂L/∂π that of the
 * gate's with its penalty where π > 0, and their sum exp(r)·∂L/∂m + ∂L/∂π reaches W_enc.
 */
import { type Program, withUniforms } from '../programs.ts';
import { remembered } from '../remembered.ts';
import { tableParts } from './byLatent.ts';
import { columnLoop, uniformsOf } from './dense.ts';
import { fires } from './fires.ts';

const threads = 64;

/** WGSL of what an entry contributes, as (scale·f, exp(r)·∂L/∂m + ∂L/∂π, ∂L/∂m, ∂L/∂π); `m` and `pi` are given by their bits. */
const contribution = `
${fires}
fn contribution(m: u32, dot: f32, pi: u32, gateDot: f32, latent: u32) -> vec4<f32> {
  let scalars = ${tableParts.scalars}u * u.latents;
  let scale = table[scalars];
  let on = fires(m, 0.0);
  let byMagnitude = select(0.0, scale * dot, on);
  let byGate = select(0.0, table[scalars + 3u] * gateDot + u.l1, fires(pi, 0.0));
  let slope = byMagnitude * table[${tableParts.gain}u * u.latents + latent] + byGate;
  return vec4<f32>(select(0.0, scale * bitcast<f32>(m), on), slope, byMagnitude, byGate);
}`;

interface Size {
  rows: number;
  latents: number;
}

/** Coefficient of Σ ReLU(π), which may change from step to step. */
interface Penalty {
  l1: number;
}

/** made [entries, 4]: the contribution of each entry of a list. */
export const gateEntries = ({ l1, ...size }: Size & Penalty): Program =>
  withUniforms(entriesProgram(size), { l1: ['f32', l1] });

const entriesProgram = remembered((size: Size): Program => {
  return {
    label: 'gateEntries',
    bindings: [
      ['rowStart', 'read', 'u32'],
      ['indices', 'read', 'u32'],
      ['values', 'read', 'u32'],
      ['dots', 'read', 'f32'],
      ['gateValues', 'read', 'u32'],
      ['gateDots', 'read', 'f32'],
      ['table', 'read', 'f32'],
      ['made', 'write', 'vec4<f32>'],
    ],
    uniforms: { rows: ['u32', size.rows], latents: ['u32', size.latents], l1: ['f32', 0] },
    threads,
    each: ['row', 'u.rows'],
    functions: contribution,
    body: `
  for (var e = rowStart[row] + thread; e < rowStart[row + 1u]; e += ${threads}u) {
    made[e] = contribution(values[e], dots[e], gateValues[e], gateDots[e], indices[e]);
  }`,
  };
});

/** The vectors whose gradients `gateSums` and `gateOfMatrix` add up, in the order of their sums. */
export const gateVectors = ['bEnc', 'rMag', 'bMag'] as const;

/**
 * sums [3, latents]: ∂b_gate, ∂r and ∂b_mag, and slopes [latents], what reaches W_enc, of the entries of each latent in the order of `list`, whose fourth
 * number is the entry's.
 */
export const gateSums = remembered(({ latents }: { latents: number }): Program => {
  return {
    label: 'gateSums',
    bindings: [
      ['latentStart', 'read', 'u32'],
      ['list', 'read', 'vec4<u32>'],
      ['made', 'read', 'vec4<f32>'],
      ['values', 'read', 'f32'],
      ['table', 'read', 'f32'],
      ['sums', 'write', 'f32'],
      ['slopes', 'write', 'f32'],
    ],
    uniforms: { latents: ['u32', latents] },
    threads,
    each: ['latent', 'u.latents'],
    collectives: { sum: threads },
    body: `
  let shift = table[${tableParts.bMag}u * u.latents + latent];
  var own = vec4<f32>(0.0);
  for (var i = latentStart[latent] + thread; i < latentStart[latent + 1u]; i += ${threads}u) {
    let e = list[i].w;
    let from_ = made[e];
    // Where m ≤ 0 the gradient is 0.
    own += vec4<f32>(from_.w, from_.z * (values[e] - shift), from_.z, from_.y);
  }
  let x = sumOf(own.x, thread, lanes);
  let y = sumOf(own.y, thread, lanes);
  let z = sumOf(own.z, thread, lanes);
  let w = sumOf(own.w, thread, lanes);
  if (thread == 0u) {
    sums[latent] = x;
    sums[u.latents + latent] = y;
    sums[2u * u.latents + latent] = z;
    slopes[latent] = w;
  }`,
  };
});

/**
 * The same where all pre-activations are kept: f and what reaches W_enc, both [rows, latents], and sums over blocks of rows,
 * [4, blocks, latents]: those of `gateSums`, the slopes last.
 */
export const gateOfMatrix = ({ l1, ...size }: Size & Penalty): Program =>
  withUniforms(matrixProgram(size), { l1: ['f32', l1] });

const matrixProgram = remembered((size: Size): Program => {
  return {
    label: 'gateOfMatrix',
    bindings: [
      ['z', 'read', 'u32'],
      ['dots', 'read', 'f32'],
      ['gateValues', 'read', 'u32'],
      ['gateDots', 'read', 'f32'],
      ['table', 'read', 'f32'],
      ['f', 'write', 'u32'],
      ['gradient', 'write', 'f32'],
      ['sums', 'write', 'f32'],
    ],
    uniforms: { ...uniformsOf(size), l1: ['f32', 0] },
    threads: 256,
    functions: contribution,
    body: `
  var own = vec4<f32>(0.0);
${columnLoop(`    let from_ = contribution(bits, dots[at], gateValues[at], gateDots[at], column);
    f[at] = select(0u, bits, fires(bits, 0.0));
    gradient[at] = from_.y;
    let shift = table[${tableParts.bMag}u * u.latents + column];
    own += vec4<f32>(from_.w, from_.z * (bitcast<f32>(bits) - shift), from_.z, from_.y);`)}
  for (var part = 0u; part < 4u; part++) { sums[(part * u.blocks + group.y) * u.latents + column] = own[part]; }`,
  };
});
