/**
 * What the pre-activations of a whole batch, z [rows, latents], say where they are kept as a matrix. Each kernel reads every
 * matrix once; in plain operations the same takes some dozens of passes over matrices that no cache holds.
 */
import type { Program } from '../programs.ts';
import { fires } from './fires.ts';
import { blocksOf } from './sums.ts';
import { remembered } from '../remembered.ts';

const threads = 256;

/** f [rows, latents]: z where a latent fires, 0 elsewhere. With `threshold`, there is an operand θ [latents] after z. */
export const denseActivations = remembered(
  (size: { rows: number; latents: number; threshold: boolean }): Program => {
    const { rows, latents, threshold } = size;
    return {
      label: 'denseActivations',
      bindings: [
        ['z', 'read', 'u32'],
        ...(threshold ? [['threshold', 'read', 'f32'] as const] : []),
        ['f', 'write', 'u32'],
      ],
      uniforms: { size: ['u32', rows * latents], latents: ['u32', latents] },
      threads,
      functions: fires,
      body: `
  let i = groupIndex * ${threads}u + thread;
  if (i >= u.size) { return; }
  f[i] = select(0u, z[i], fires(z[i], ${threshold ? 'threshold[i % u.latents]' : '0.0'}));`,
    };
  },
);

export const denseActivationsGroups = (rows: number, latents: number) =>
  Math.ceil((rows * latents) / threads);

/** Workgroups of the kernels below: those for the columns, and blocks of rows whose sums are apart. */
export const denseGroups = (rows: number, latents: number): [columns: number, blocks: number] => [
  Math.ceil(latents / threads),
  blocksOf(rows),
];

/** WGSL that runs over the rows of a block with `at`, the place in a matrix, and `bits`, those of z, and needs `uniformsOf`. */
export const columnLoop = (each: string) => `
  let column = group.x * ${threads}u + thread;
  if (column >= u.latents) { return; }
  let first = group.y * u.each;
  for (var row = first; row < min(first + u.each, u.rows); row++) {
    let at = row * u.latents + column;
    let bits = z[at];
${each}
  }`;

export const uniformsOf = ({ rows, latents }: { rows: number; latents: number }): Program['uniforms'] => ({
  rows: ['u32', rows],
  latents: ['u32', latents],
  each: ['u32', Math.ceil(rows / blocksOf(rows))],
  blocks: ['u32', blocksOf(rows)],
});

/** sums [2, blocks, latents]: how often each latent fires in a block of rows, and Σ of its activations. */
export const denseFirings = remembered(
  (size: { rows: number; latents: number; threshold: boolean }): Program => {
    return {
      label: 'denseFirings',
      bindings: [
        ['z', 'read', 'u32'],
        ...(size.threshold ? [['threshold', 'read', 'f32'] as const] : []),
        ['sums', 'write', 'f32'],
      ],
      uniforms: uniformsOf(size),
      threads,
      functions: fires,
      body: `
  var count = 0.0;
  var total = 0.0;
${columnLoop(`    if (fires(bits, ${size.threshold ? 'threshold[column]' : '0.0'})) {
      count += 1.0;
      total += bitcast<f32>(bits);
    }`)}
  sums[group.y * u.latents + column] = count;
  sums[(u.blocks + group.y) * u.latents + column] = total;`,
    };
  },
);

/**
 * The activations f and the gradient of z, both [rows, latents], and their sums over blocks of rows, [3, blocks, latents]: of the gradient,
 * of that of log θ, and of f. Operands: z, the dots of W_dec with the error, and a table (`tableParts` in byLatent.ts). Formulas:
 * METHODS.md §1, as in sae/ops/referenceUpdate.ts. `bandwidth` is null where no thresholds are trained.
 */
export const denseGradients = remembered(
  (size: { rows: number; latents: number; l1: number; bandwidth: number | null }): Program => {
    const { l1, bandwidth } = size;
    const jump = bandwidth !== null;
    return {
      label: 'denseGradients',
      bindings: [
        ['z', 'read', 'u32'],
        ['dots', 'read', 'f32'],
        ['table', 'read', 'f32'],
        ['f', 'write', 'u32'],
        ['gradient', 'write', 'f32'],
        ['sums', 'write', 'f32'],
      ],
      uniforms: { ...uniformsOf(size), l1: ['f32', l1], bandwidth: ['f32', bandwidth ?? 1] },
      threads,
      functions: fires,
      body: `
  var gradients = 0.0;
  var thresholds = 0.0;
  var activations = 0.0;
  let scale = table[2u * u.latents];
${columnLoop(`    let threshold = ${jump ? 'table[column]' : '0.0'};
    let on = fires(bits, threshold);
    let whole = dots[at] * scale ${l1 === 0 ? '' : '+ u.l1 * table[u.latents + column]'};
    let own = select(0.0, whole, on);
    gradient[at] = own;
    f[at] = select(0u, bits, on);
    gradients += own;
    if (on) { activations += bitcast<f32>(bits); }
    ${
      jump
        ? `if (!isNan(bits) && abs(bitcast<f32>(bits) - threshold) < u.bandwidth / 2.0) {
      thresholds -= (whole * threshold + table[2u * u.latents + 2u]) / u.bandwidth * threshold;
    }`
        : ''
    }`)}
  sums[group.y * u.latents + column] = gradients;
  sums[(u.blocks + group.y) * u.latents + column] = thresholds;
  sums[(2u * u.blocks + group.y) * u.latents + column] = activations;`,
    };
  },
);

/** out [rows, d] = factor · out + w · (l1 · Σf / ‖w‖): what the penalty l1 · Σ f ‖W_dec‖ adds to the gradient of W_dec. `sums` as joined from denseGradients. */
export const densePenalty = remembered((size: { latents: number; d: number; l1: number }): Program => {
  const { latents, d, l1 } = size;
  return {
    label: 'densePenalty',
    bindings: [
      ['w', 'read', 'f32'],
      ['table', 'read', 'f32'],
      ['sums', 'read', 'f32'],
      ['out', 'write', 'f32'],
    ],
    uniforms: { size: ['u32', latents * d], latents: ['u32', latents], d: ['u32', d], l1: ['f32', l1] },
    threads,
    body: `
  let i = groupIndex * ${threads}u + thread;
  if (i >= u.size) { return; }
  let latent = i / u.d;
  let along = ${l1 === 0 ? '0.0' : 'u.l1 * sums[2u * u.latents + latent] / max(table[u.latents + latent], 1e-30) * w[i]'};
  out[i] = out[i] * table[2u * u.latents] + along;`,
  };
});

export const densePenaltyGroups = (latents: number, d: number) => Math.ceil((latents * d) / threads);
