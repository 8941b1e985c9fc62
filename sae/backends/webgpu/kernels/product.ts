import type { Binding, Program, Storage } from '../programs.ts';
import { remembered } from '../remembered.ts';

/** A workgroup computes a tile of this many rows and columns, each of its threads 8 × 8 elements of it. */
type Tile = 64 | 128;
/** Fewest workgroups of the larger tile: with fewer, a large GPU would have nothing to do for some of its processors. */
const enoughTiles = 128;
/** Length of the part of the depth (the summed axis) that is in workgroup memory at a time. */
const slice = 16;

const tiles = ({ batch, rows, columns, splits }: ProductSize, tile: Tile) =>
  batch * splits * Math.ceil(rows / tile) * Math.ceil(columns / tile);
const tileFor = (size: ProductSize): Tile => (tiles(size, 128) >= enoughTiles ? 128 : 64);

export interface ProductSize {
  /** Number of products in the batch. */
  batch: number;
  rows: number;
  /** The first row of a that is multiplied. */
  firstRow?: number;
  columns: number;
  depth: number;
  /** `transposed`: a is [depth, rows] instead of [rows, depth]. `shared`: the same for the whole batch. */
  a: { transposed: boolean; shared: boolean };
  /** `transposed`: b is [columns, depth] instead of [depth, columns]. */
  b: { transposed: boolean; shared: boolean };
  /** Subtract a vector [depth] from each row of a; a must not be transposed. */
  centred: boolean;
  /** Add a vector [columns] to each row of the result; there must be no splits. */
  biased: boolean;
  /** The first column of b, which must be transposed, and of the bias vector that is multiplied. */
  columnsBefore?: number;
  /** Storage of both operands; sums are computed in 32 bits in any case. */
  storage?: Storage;
  /** The depth is divided into this many parts that are summed separately: c is [batch, splits, rows, columns]. */
  splits: number;
}

/** What a kernel does with the elements of the product instead of storing them in c. */
export interface Destination {
  /** Label of the kernel. */
  readonly label: string;
  readonly bindings: readonly Binding[];
  readonly uniforms: Program['uniforms'];
  readonly functions: string;
  /** WGSL that runs for each `row` of a thread, and WGSL that runs for each `result` in that row and in `column`. */
  readonly row: string;
  readonly store: string;
}

/** The whole product in memory. */
export const matrix: Destination = {
  label: 'product',
  bindings: [['c', 'write', 'f32']],
  uniforms: {},
  functions: '',
  row: 'let to = which * u.rows * u.columns + row * u.columns;',
  store: 'c[to + column] = result;',
};

/**
 * c [rows, columns] = (a − centre)·b + bias. Operands: a, b, c (or the bindings of another destination), centre, bias. Where
 * the length of rows in memory is a multiple of 4, four numbers are read at a time.
 *
 * It is blocked twice: a workgroup computes a tile from operands in workgroup memory (8 or 16 KB), and a thread 8 × 8 elements of it in
 * registers, so that 16 numbers read serve 64 multiplications. The next slice of the operands is read while one is multiplied. A thread's rows
 * are four neighbours in each half of the tile, and so are its columns: then neighbouring threads read neighbouring vectors, and
 * none waits for another at a bank of the workgroup's memory. For the same reason vectors are stored at their place exclusive-or
 * an even number that depends on the depth.
 */
export const product = remembered((size: ProductSize, to: Destination = matrix): Program => {
  const {
    batch,
    rows,
    firstRow = 0,
    columns,
    columnsBefore = 0,
    depth,
    a,
    b,
    centred,
    biased,
    storage = 'f32',
    splits,
  } = size;
  const tile = tileFor(size);
  const wide = tile / 4; // Vectors of a slice's row.
  const threads = (tile / 8) ** 2;
  const wideA = (a.transposed ? rows : depth) % 4 === 0;
  const wideB = (b.transposed ? depth : columns) % 4 === 0;
  const element = (wide: boolean) => (wide ? `vec4<${storage}>` : storage);
  const places = [0, 1, 2, 3];
  const both = threads === tile;
  const blockA = (k: string) => `block_a(baseA, firstRow + mine, ${k} + deep, end)`;
  const blockB = (k: string) => `block_b(baseB, firstColumn + mine, ${k} + deep, end)`;
  const load = (k: string) => {
    const first = k === 'begin' ? 'var ' : '';
    if (both) return `${first}p = ${blockA(k)};\n    ${first}q = ${blockB(k)};`;
    return `${first ? 'var p: mat4x4<f32>;\n  ' : ''}if (thread < ${tile}u) { p = ${blockA(k)}; } else { p = ${blockB(k)}; }`;
  };
  const stored = (operand: string, value: string) =>
    places.map((i) => `${operand}[(deep + ${i}u) * ${wide}u + place] = ${value}[${i}];`).join(' ');
  const store = both
    ? `${stored('left', 'p')}\n    ${stored('right', 'q')}`
    : `if (thread < ${tile}u) { ${stored('left', 'p')} } else { ${stored('right', 'p')} }`;
  return {
    label: storage === 'f16' ? `${to.label}OfHalves` : to.label,
    bindings: [
      ['a', 'read', element(wideA)],
      ['b', 'read', element(wideB)],
      ...to.bindings,
      ...(centred ? [['centre', 'read', wideA ? 'vec4<f32>' : 'f32'] as const] : []),
      ...(biased ? [['bias', 'read', 'f32'] as const] : []),
    ],
    uniforms: {
      groups: ['u32', batch * splits],
      rows: ['u32', rows],
      columns: ['u32', columns],
      depth: ['u32', depth],
      splits: ['u32', splits],
      part: ['u32', splitDepth(depth, splits)],
      startA: ['u32', firstRow * depth],
      strideA: ['u32', a.shared ? 0 : rows * depth],
      strideB: ['u32', b.shared ? 0 : columns * depth],
      columnsBefore: ['u32', columnsBefore],
      ...to.uniforms,
    },
    threads,
    functions: `
var<workgroup> left: array<vec4<f32>, ${(slice * tile) / 4}>;
var<workgroup> right: array<vec4<f32>, ${(slice * tile) / 4}>;

${block('a', 'u.rows', { transposed: a.transposed, wide: wideA, centred })}
${block('b', 'u.columns', { transposed: !b.transposed, wide: wideB, centred: false })}
${to.functions}`,
    body: `
  let local = vec2<u32>(thread % ${tile / 8}u, thread / ${tile / 8}u);
  let across = (u.columns + ${tile - 1}u) / ${tile}u;
  let tiles = across * ((u.rows + ${tile - 1}u) / ${tile}u);
  let index = groupIndex;
  let which = index / tiles;
  if (which >= u.groups) { return; }
  let firstRow = (index % tiles / across) * ${tile}u;
  let firstColumn = (index % across) * ${tile}u;
  let baseA = u.startA + which / u.splits * u.strideA;
  let baseB = which / u.splits * u.strideB + u.columnsBefore * u.depth;
  let begin = which % u.splits * u.part;
  let end = min(begin + u.part, u.depth);
  // A thread loads four rows of the operands, four numbers of each: of both where there are as many threads as blocks, else of one.
  let loader = thread % ${tile}u;
  let mine = (loader / 4u) * 4u;
  let deep = (loader % 4u) * 4u;
  let place = (mine / 4u) ^ (deep / 2u);
${accumulators((name) => `  var ${name} = vec4<f32>(0.0);`)}
  ${load('begin')}
  for (var k = begin; k < end; k += ${slice}u) {
    workgroupBarrier();
    ${store}
    workgroupBarrier();
    ${load(`k + ${slice}u`)}
    for (var i = 0u; i < ${slice}u; i++) {
      let row = i * ${wide}u;
      let y = local.y ^ (i / 4u * 2u);
      let x = local.x ^ (i / 4u * 2u);
      let p0 = left[row + y];
      let p1 = left[row + ${wide / 2}u + y];
      let q0 = right[row + x];
      let q1 = right[row + ${wide / 2}u + x];
${accumulators((name, row, half) => `      ${name} += p${row >> 2}.${'xyzw'[row % 4]} * q${half};`)}
    }
  }
  var sums = array<vec4<f32>, 16>(${accumulators((name) => `${name},`)});
  for (var i = 0u; i < 16u; i++) {
    let row = firstRow + i / 8u * ${tile / 2}u + local.y * 4u + i / 2u % 4u;
    if (row < u.rows) {
      ${to.row}
      for (var j = 0u; j < 4u; j++) {
        let column = firstColumn + i % 2u * ${tile / 2}u + local.x * 4u + j;
        if (column < u.columns) {
          let result = sums[i][j] ${biased ? '+ bias[u.columnsBefore + column]' : ''};
          ${to.store}
        }
      }
    }
  }`,
  };
});

/** Number of workgroups of a product. */
export function productGroups(size: ProductSize): number {
  return tiles(size, tileFor(size));
}

/**
 * Into how many parts the depth is split, so that a small result of a deep product keeps a GPU busy: as many as give
 * some dozens of workgroups, but with parts of at least 256.
 */
export function productSplits(batch: number, rows: number, columns: number, depth: number): number {
  const groups = batch * Math.ceil(rows / 64) * Math.ceil(columns / 64);
  return Math.max(1, Math.min(Math.floor(depth / 256), Math.floor(64 / groups)));
}

const splitDepth = (depth: number, splits: number) => Math.ceil(depth / splits / slice) * slice;

/** WGSL lines for a thread's accumulators: eight rows of two vectors each. */
function accumulators(line: (name: string, row: number, half: number) => string): string {
  const lines: string[] = [];
  for (let row = 0; row < 8; row++)
    for (let half = 0; half < 2; half++) lines.push(line(`sum${row}_${half}`, row, half));
  return lines.join('\n');
}

/**
 * WGSL of a function that reads a 4 × 4 block: four rows from `row` and four places of the depth from `k`, with 0 beyond the ends; column i of
 * the block is depth k + i. With `transposed`, neighbouring rows are adjacent in memory. There are no branches (`&` does not branch),
 * since reads beyond the end are harmless in WGSL, and SwiftShader's compiler takes minutes for sixteen branches.
 */
function block(
  name: string,
  rows: string,
  { transposed, wide, centred }: { transposed: boolean; wide: boolean; centred: boolean },
): string {
  const less = (k: string) => (centred ? ` - centre[${k}]` : '');
  const lines = [0, 1, 2, 3].map((i) => {
    const number = (j: number) => {
      const [r, k] = transposed ? [`row + ${j}u`, `k + ${i}u`] : [`row + ${i}u`, `k + ${j}u`];
      const at = transposed ? `(${k}) * ${rows} + ${r}` : `(${r}) * u.depth + ${k}`;
      return `select(0.0, f32(${name}[base + ${at}])${less(k)}, (${r} < ${rows}) & (${k} < end))`;
    };
    if (!wide) return `vec4<f32>(${[0, 1, 2, 3].map(number).join(', ')})`;
    if (transposed)
      return `select(vec4<f32>(), vec4<f32>(${name}[(base + (k + ${i}u) * ${rows} + row) / 4u]), (row < ${rows}) & (k + ${i}u < end))`;
    const value = `vec4<f32>(${name}[(base + (row + ${i}u) * u.depth + k) / 4u])${less('k / 4u')}`;
    return `select(vec4<f32>(), ${value}, (row + ${i}u < ${rows}) & (k < end))`;
  });
  return `fn block_${name}(base: u32, row: u32, k: u32, end: u32) -> mat4x4<f32> {
  let m = mat4x4<f32>(${lines.join(',\n    ')});
  return ${transposed ? 'm' : 'transpose(m)'};
}`;
}
