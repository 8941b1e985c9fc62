/**
 * The update of one dictionary matrix with a workgroup for each latent: its gradient row is summed up in registers from the
 * latent's entries and is never written to memory. Removing the part of the gradient parallel to the row, Adam and unit norm (Gao et
 * al., 2406.04093, A.1) follow at once, so that the row and its moments are read and written once.
 */
import type { AdamSettings } from '../../../ops/fusedKernels.ts';
import { type Binding, type Program, type Storage, withUniforms } from '../programs.ts';
import { adamBindings, adamStep, adamUniforms, noStep } from './adam.ts';
import { errorUnits, narrow } from './half.ts';
import { blockOf, type Prefixes } from './prefixes.ts';
import { type Blocks, sizeOfRow } from './rowSize.ts';
import { threadsFor } from './sparse.ts';
import { remembered } from '../remembered.ts';

/** How the gradient row of a latent is computed. */
export type Source =
  /** As Σ ∂L/∂z · (x − centre); `storage` is that of x. */
  | { kind: 'encoder'; centred: boolean; storage: Storage }
  /**
   * As Σ coefficient · error over one loss term or two, and l1 · Σ coefficient / ‖w‖ · w over the first. With `halves` the errors of
   * all terms are in one tensor made by `errorToHalf`.
   */
  | { kind: 'decoder'; errors: 'one' | 'two' | 'halves'; l1: number }
  /** It is read from memory. */
  | { kind: 'given' };

/** What is done with the gradient row. */
export type Purpose =
  | { kind: 'gradient' }
  /** Its squared norm is written to `squares[offset + latent]`, for clipping. */
  | { kind: 'norm'; offset: number }
  /** An Adam step. With `copied` the new row is also written to the matrix's copy in 16 bits. */
  | { kind: 'adam'; adam: AdamSettings; copied: boolean };

interface Size {
  latents: number;
  d: number;
  /** Row numbers in the list from this one on belong to the second loss term. */
  secondRows: number;
  /** Number of rows of the tensor of errors in 16 bits, if there is one, and where in it those of the second loss term begin. */
  errorRows?: number | undefined;
  secondErrors?: number;
  /** Of nested reconstructions: the errors of the first loss term are blocks of `rows` rows, and a latent has to do with that of the first prefix that has it. */
  nested?: { rows: number; prefixes: Prefixes } | undefined;
  /** Of the rows of a crosscoder's W_dec, whose size is Σ_l ‖w_l‖ over them. */
  blocks?: Blocks | undefined;
}

/** Operands in this order: latentStart and list, x or the errors that they multiply, w, and the operands of the purpose. */
export function rowUpdate(size: Size, source: Source, purpose: Purpose): Program {
  const l1 = source.kind === 'decoder' ? source.l1 : 0;
  // Numbers that change from step to step are not part of the text.
  const program = rowProgram(
    size,
    source.kind === 'decoder' && l1 !== 0 ? { ...source, l1: 1 } : source,
    purpose.kind === 'adam' ? { ...purpose, adam: { ...purpose.adam, ...noStep } } : purpose,
  );
  return withUniforms(program, {
    l1: ['f32', l1],
    ...(purpose.kind === 'adam' && adamUniforms(purpose.adam)),
  });
}

const rowProgram = remembered((size: Size, source: Source, purpose: Purpose): Program => {
  const { latents, d, secondRows, errorRows = 0, secondErrors = secondRows, nested, blocks } = size;
  const threads = threadsFor(d);
  const columns = Math.ceil(d / threads);
  const adam = purpose.kind === 'adam' ? purpose.adam : null;
  const copied = purpose.kind === 'adam' && purpose.copied;
  const l1 = source.kind === 'decoder' ? source.l1 : 0;
  const reads = adam !== null || l1 !== 0;
  const each = (body: string) =>
    `for (var j = 0u; j < ${columns}u; j++) {
    let column = thread + j * ${threads}u;
    if (column < u.d) { ${body} }
  }`;
  const keepsSize = adam !== null && adam.unitNormDecoder && source.kind !== 'encoder';
  const bySize = blocks && (keepsSize || l1 !== 0) ? { blocks, threads } : null;
  const kept = !keepsSize
    ? null
    : bySize
      ? ({ normal: 'normal', size: `${sizeOfRow(bySize, 'norm')}\n  norm = max(norm, 1e-30);` } as const)
      : ({ normal: 'row', size: normOfRow(each) } as const);
  return {
    label: { encoder: 'updateEncoder', decoder: 'updateDecoder', given: 'updateRows' }[source.kind],
    bindings: [
      ...sourceBindings(source),
      ...(reads ? [['w', adam ? 'write' : 'read', 'f32'] as const] : []),
      ...purposeBindings(purpose),
    ],
    uniforms: {
      latents: ['u32', latents],
      d: ['u32', d],
      secondRows: ['u32', secondRows],
      secondErrors: ['u32', secondErrors],
      blockRows: ['u32', nested?.rows ?? 0],
      units: ['u32', errorUnits(errorRows, d)],
      l1: ['f32', l1],
      offset: ['u32', purpose.kind === 'norm' ? purpose.offset : 0],
      ...(adam && adamUniforms(adam)),
    },
    threads,
    each: ['latent', 'u.latents'],
    collectives: { sum: threads },
    functions: `${adam ? adamStep : ''}${copied ? narrow : ''}${nested ? blockOf(nested.prefixes) : ''}`,
    body: `
  let base = latent * u.d;
  var g: array<f32, ${columns}>;
  ${reads ? `var row: array<f32, ${columns}>;\n  ${each('row[j] = w[base + column];')}` : ''}
  ${bySize ? `var normal: array<f32, ${columns}>;\n  ${sizeOfRow(bySize, 'size', 'normal')}` : ''}
  ${gradientRow(source, columns, each, { hasNormal: bySize !== null, isNested: nested !== undefined })}
  ${purpose.kind === 'adam' ? adamRow(purpose, each, kept) : ''}
  ${purpose.kind === 'gradient' ? each('out[base + column] = g[j];') : ''}
  ${
    purpose.kind === 'norm'
      ? `var square = 0.0;
  ${each('square += g[j] * g[j];')}
  let all = sumOf(square, thread, lanes);
  if (thread == 0u) { squares[u.offset + latent] = all; }`
      : ''
  }`,
  };
});

function sourceBindings(source: Source): Binding[] {
  if (source.kind === 'given') return [['gradient', 'read', 'f32']];
  const lists: Binding[] = [
    ['latentStart', 'read', 'u32'],
    ['list', 'read', 'vec4<u32>'],
  ];
  return source.kind === 'encoder'
    ? [...lists, ['x', 'read', source.storage], ...optional(source.centred, 'centre')]
    : [
        ...lists,
        ['error', 'read', source.errors === 'halves' ? 'f16' : 'f32'],
        ...optional(source.errors === 'two', 'secondError'),
      ];
}

const optional = (present: boolean, name: string): Binding[] => (present ? [[name, 'read', 'f32']] : []);

function purposeBindings(purpose: Purpose): Binding[] {
  if (purpose.kind === 'gradient') return [['out', 'write', 'f32']];
  if (purpose.kind === 'norm') return [['squares', 'write', 'f32']];
  return [
    ...adamBindings(purpose.adam.clipNorm !== null),
    ...(purpose.copied ? [['copy', 'write', 'f16'] as const] : []),
  ];
}

type Each = (body: string) => string;

function gradientRow(
  source: Source,
  columns: number,
  each: Each,
  { hasNormal, isNested }: { hasNormal: boolean; isNested: boolean },
): string {
  if (source.kind === 'given') return each('g[j] = gradient[base + column];');
  const entries = (body: string) => `for (var e = latentStart[latent]; e < latentStart[latent + 1u]; e++) {
    let entry = list[e];
    let isSecond = entry.x >= u.secondRows;
    ${body}
  }`;
  if (source.kind === 'encoder') {
    const { centred } = source;
    return `${centred ? `var middle: array<f32, ${columns}>;\n  ${each('middle[j] = centre[column];')}` : ''}
  ${entries(`let slope = bitcast<f32>(entry.z);
    let origin = select(entry.x, entry.x - u.secondRows, isSecond) * u.d;
    if (slope != 0.0) { ${each(`g[j] += slope * (f32(x[origin + column]) ${centred ? '- middle[j]' : ''});`)} }`)}`;
  }
  const { errors, l1 } = source;
  const second = errors === 'halves' ? 'entry.x - u.secondRows + u.secondErrors' : 'entry.x - u.secondRows';
  const first = each('g[j] += coefficient * error[origin + column];');
  const other = each('g[j] += coefficient * secondError[origin + column];');
  const add = {
    one: first,
    two: `if (isSecond) { ${other} } else { ${first} }`,
    halves: `let inUnits = coefficient * f32(error[u.units + errorRow]);
      ${each('g[j] += inUnits * f32(error[origin + column]);')}`,
  }[errors];
  return `var fired = 0.0;
  ${isNested ? 'let block = blockOf(latent) * u.blockRows;' : ''}
  ${entries(`let coefficient = bitcast<f32>(entry.y);
    if (coefficient != 0.0) {
      let errorRow = select(entry.x ${isNested ? '+ block' : ''}, ${second}, isSecond);
      let origin = errorRow * u.d;
      ${add}
      if (!isSecond) { fired += coefficient; }
    }`)}
  ${l1 === 0 ? '' : hasNormal ? each('g[j] += u.l1 * fired * normal[j];') : pullAlongRow(each)}`;
}

const pullAlongRow = (each: Each) => `var length = 0.0;
  ${each('length += row[j] * row[j];')}
  let pull = u.l1 * fired / max(sqrt(sumOf(length, thread, lanes)), 1e-30);
  ${each('g[j] += pull * row[j];')}`;

const normOfRow = (each: Each) => `var norm = 0.0;
  ${each('norm += row[j] * row[j];')}
  norm = max(sqrt(sumOf(norm, thread, lanes)), 1e-30);`;

/** WGSL that keeps the size of a row: `normal` is an array along its gradient, and `size` declares `norm`, the size after the step. */
interface KeptSize {
  readonly normal: 'row' | 'normal';
  readonly size: string;
}

function adamRow(
  { adam, copied }: Extract<Purpose, { kind: 'adam' }>,
  each: Each,
  kept: KeptSize | null,
): string {
  const normal = kept?.normal;
  return `${adam.clipNorm === null ? '' : each('g[j] *= clip[0];')}
  ${
    kept
      ? `var along = 0.0;
  var square = 0.0;
  ${each(`along += g[j] * ${normal}[j]; square += ${normal}[j] * ${normal}[j];`)}
  let parallel = sumOf(along, thread, lanes) / max(sumOf(square, thread, lanes), 1e-30);
  ${each(`g[j] -= parallel * ${normal}[j];`)}`
      : ''
  }
  ${each('row[j] = adamStep(base + column, row[j], g[j]);')}
  ${kept ? `${kept.size}\n  ${each('row[j] /= norm;')}` : ''}
  ${each(`w[base + column] = row[j]; ${copied ? 'copy[base + column] = narrow(row[j]);' : ''}`)}`;
}
