import type { Binding, Program, Storage } from '../programs.ts';

/** Rows and columns of the result a workgroup makes; each of its 8 × 8 threads makes 8 × 8 of them. */
const tile = 64;
/** How many steps along the depth a workgroup keeps in its memory at a time. */
const slice = 16;

export interface ProductSize {
  /** How many products are computed at once. */
  batch: number;
  rows: number;
  /** The row of `a` that the product's first row is; 0 where left out. */
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
  /** How many columns of b, which must be transposed, and of the vector come before those multiplied. */
  columnsBefore?: number;
  /** How both operands lie in memory; sums are made in 32 bits all the same. */
  storage?: Storage;
  /** Parts of the depth, summed apart: c is [batch, splits, rows, columns]. */
  splits: number;
}

/** A part of the kernel that takes each result as it is finished, instead of writing it to c. */
export interface Destination {
  /** The kernel's name, for timestamps and messages. */
  readonly label: string;
  readonly bindings: readonly Binding[];
  readonly uniforms: Program['uniforms'];
  readonly functions: string;
  /** WGSL, for each `row` of a thread, and for each `result`, which belongs there and to `column`. */
  readonly row: string;
  readonly store: string;
}

const matrix: Destination = {
  label: 'product',
  bindings: [['c', 'write', 'f32']],
  uniforms: {},
  functions: '',
  row: 'let to = which * u.rows * u.columns + row * u.columns;',
  store: 'c[to + column] = result;',
};

/**
 * c [rows, columns] = (a − centre)·b + bias. Operands: a, b, c (or what another destination binds), centre, bias. Where
 * rows in memory are multiples of 4 long, four numbers are read at a time.
 *
 * Blocked twice: 64 × 64 results a workgroup, from operands in workgroup memory (8 KB), and 8 × 8 results a thread, in
 * registers, so that 16 numbers read feed 64 multiplications.
 */
export function product(size: ProductSize, to = matrix): Program {
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
  const wideA = (a.transposed ? rows : depth) % 4 === 0;
  const wideB = (b.transposed ? depth : columns) % 4 === 0;
  const element = (wide: boolean) => (wide ? `vec4<${storage}>` : storage);
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
    threads: 64,
    functions: `
var<workgroup> left: array<vec4<f32>, ${(slice * tile) / 4}>;
var<workgroup> right: array<vec4<f32>, ${(slice * tile) / 4}>;

${block('a', 'u.rows', { transposed: a.transposed, wide: wideA, centred })}
${block('b', 'u.columns', { transposed: !b.transposed, wide: wideB, centred: false })}
${to.functions}`,
    body: `
  let local = vec2<u32>(thread % 8u, thread / 8u);
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
  // Each thread brings four rows of both operands, four numbers deep.
  let mine = (thread / 4u) * 4u;
  let deep = (thread % 4u) * 4u;
${accumulators((name) => `  var ${name} = vec4<f32>(0.0);`)}
  for (var k = begin; k < end; k += ${slice}u) {
    let p = block_a(baseA, firstRow + mine, k + deep, end);
    let q = block_b(baseB, firstColumn + mine, k + deep, end);
    let at = deep * ${tile / 4}u + mine / 4u;
${[0, 1, 2, 3].map((i) => `    left[at + ${(i * tile) / 4}u] = p[${i}];\n    right[at + ${(i * tile) / 4}u] = q[${i}];`).join('\n')}
    workgroupBarrier();
    for (var i = 0u; i < ${slice}u; i++) {
      let p0 = left[i * ${tile / 4}u + local.y * 2u];
      let p1 = left[i * ${tile / 4}u + local.y * 2u + 1u];
      let q0 = right[i * ${tile / 4}u + local.x * 2u];
      let q1 = right[i * ${tile / 4}u + local.x * 2u + 1u];
${accumulators((name, row, half) => `      ${name} += p${row >> 2}.${'xyzw'[row % 4]} * q${half};`)}
    }
    workgroupBarrier();
  }
  var sums = array<vec4<f32>, 16>(${accumulators((name) => `${name},`)});
  for (var i = 0u; i < 16u; i++) {
    let row = firstRow + local.y * 8u + i / 2u;
    if (row < u.rows) {
      ${to.row}
      for (var j = 0u; j < 4u; j++) {
        let column = firstColumn + local.x * 8u + i % 2u * 4u + j;
        if (column < u.columns) {
          let result = sums[i][j] ${biased ? '+ bias[u.columnsBefore + column]' : ''};
          ${to.store}
        }
      }
    }
  }`,
  };
}

/** How many workgroups a product of this size takes. */
export function productGroups({ batch, rows, columns, splits }: ProductSize): number {
  return batch * splits * Math.ceil(rows / tile) * Math.ceil(columns / tile);
}

/**
 * Into how many parts the depth is split, so that a small result of a deep product keeps a GPU busy: as many as it takes
 * to have some dozens of workgroups, but none shallower than 256.
 */
export function productSplits(batch: number, rows: number, columns: number, depth: number): number {
  const groups = batch * Math.ceil(rows / tile) * Math.ceil(columns / tile);
  return Math.max(1, Math.min(Math.floor(depth / 256), Math.floor(64 / groups)));
}

const splitDepth = (depth: number, splits: number) => Math.ceil(depth / splits / slice) * slice;

/** The eight rows of two vectors that a thread adds up. */
function accumulators(line: (name: string, row: number, half: number) => string): string {
  const lines: string[] = [];
  for (let row = 0; row < 8; row++)
    for (let half = 0; half < 2; half++) lines.push(line(`sum${row}_${half}`, row, half));
  return lines.join('\n');
}

/**
 * Four rows from `row` and four of the depth from `k`, 0 beyond the ends: column i of the result is at depth k + i.
 * `transposed`: rows lie side by side in memory. Without branches (`&` has none): reads beyond the end are harmless
 * in WGSL, and SwiftShader's compiler takes minutes over sixteen of them.
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
