/**
 * What every backend must compute as TF.js's plain CPU backend does: a table of operations and shapes, with
 * the awkward ones on purpose (one element, primes, nothing at all, NaN, infinities, −0, subnormals).
 */
import { Random } from '../numerics/random.ts';
import { tf, type Tensor } from '../tensor/tf.ts';

export interface ConformanceCase {
  name: string;
  run(): Tensor | Tensor[];
  /** Largest |difference| allowed, relative to 1 + |expected|. */
  tolerance: number;
}

const random = Random.fromSeed(1, 'conformance');
const special = [NaN, Infinity, -Infinity, 0, -0, 1e-40, -1e-40, 1, -1, 1e30, -1e30, 0.5, 3];

export function normal(shape: readonly number[], scale = 1): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(random.normals(size, scale), [...shape], 'float32');
}
function positive(shape: readonly number[]): Tensor {
  return tf.tidy(() => tf.add(tf.abs(normal(shape)), 0.1));
}
function integers(shape: readonly number[], below: number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Int32Array.from({ length: size }, () => random.below(below)),
    [...shape],
    'int32',
  );
}
function flags(shape: readonly number[]): Tensor {
  return tf.tidy(() => tf.cast(integers(shape, 2), 'bool'));
}

const cases: ConformanceCase[] = [];
/** Inputs are drawn now, so that every backend gets the same. */
function add(
  name: string,
  inputs: Tensor[],
  run: (...inputs: Tensor[]) => Tensor | Tensor[],
  tolerance = 2e-6,
) {
  const kept = inputs.map((t) => ({ values: t.dataSync().slice(), shape: t.shape, dtype: t.dtype }));
  tf.dispose(inputs);
  cases.push({
    name,
    tolerance,
    run: () =>
      tf.tidy(() => run(...kept.map(({ values, shape, dtype }) => tf.tensor(values.slice(), shape, dtype)))),
  });
}

/** Call on the reference backend. */
export function conformanceCases(): ConformanceCase[] {
  if (cases.length > 0) return cases;
  unary();
  binary();
  products();
  reductions();
  movement();
  indexing();
  return cases;
}

const shapes: readonly (readonly number[])[] = [[1], [0], [7], [3, 0, 2], [13, 17], [2, 3, 5, 7], [40_009]];

function unary(): void {
  const functions = {
    exp: tf.exp, neg: tf.neg, square: tf.square, abs: tf.abs, relu: tf.relu, relu6: tf.relu6, sigmoid: tf.sigmoid,
    tanh: tf.tanh, erf: tf.erf, softplus: tf.softplus, sin: tf.sin, cos: tf.cos, step: tf.step, sign: tf.sign,
    reciprocal: tf.reciprocal, leakyRelu: tf.leakyRelu, elu: tf.elu, selu: tf.selu, floor: tf.floor, ceil: tf.ceil,
    expm1: tf.expm1, zerosLike: tf.zerosLike, onesLike: tf.onesLike,
  } as const; // prettier-ignore
  for (const [name, f] of Object.entries(functions)) {
    for (const shape of shapes) add(`${name} [${shape}]`, [normal(shape, 3)], (x) => f(x));
    // The reference is NaN-blind in some of these; each is checked where the two agree on what is right.
    const values = ['sin', 'cos'].includes(name) ? special.filter((v) => Math.abs(v) !== 1e30) : special;
    add(`${name} of special values`, [tf.tensor1d(values)], (x) => f(x));
  }
  add('step with slope', [normal([11, 3])], (x) => tf.step(x, 0.25));
  const roots = { log: tf.log, sqrt: tf.sqrt, rsqrt: tf.rsqrt, log1p: tf.log1p } as const;
  for (const [name, f] of Object.entries(roots)) {
    for (const shape of shapes) add(`${name} [${shape}]`, [positive(shape)], (x) => f(x));
    add(`${name} of special values`, [tf.tensor1d(special.filter((v) => Math.abs(v) !== 1e-40))], (x) =>
      f(x),
    );
  }
  const others = {
    round: tf.round, atan: tf.atan, isNaN: tf.isNaN, isInf: tf.isInf, isFinite: tf.isFinite,
    clipByValue: (x: Tensor) => tf.clipByValue(x, -1, 0.5),
  } as const; // prettier-ignore
  for (const [name, f] of Object.entries(others)) {
    add(`${name} [13,17]`, [normal([13, 17], 3)], (x) => f(x));
    add(`${name} of special values`, [tf.tensor1d(special)], (x) => f(x));
  }
  add('round halves', [tf.tensor1d([0.5, 1.5, 2.5, -0.5, -1.5, -2.5])], (x) => tf.round(x));
  add('tan [13,17]', [normal([13, 17])], (x) => tf.tan(x), 1e-4);
  add('logicalNot', [flags([13, 17])], (x) => tf.logicalNot(x as never));
  const types = ['float32', 'int32', 'bool'] as const;
  for (const to of types) {
    add(
      `cast float32 → ${to}`,
      [tf.tensor1d([0, -0, 0.7, -0.7, 1.9, -1.9, 3e9, -3e9, 1e20, NaN, Infinity])],
      (x) => tf.cast(x, to),
    );
    add(`cast int32 → ${to}`, [integers([31], 3)], (x) => tf.cast(x, to));
    add(`cast bool → ${to}`, [flags([31])], (x) => tf.cast(x, to));
  }
}

function binary(): void {
  const arithmetic = {
    add: tf.add, sub: tf.sub, mul: tf.mul, div: tf.div, maximum: tf.maximum, minimum: tf.minimum,
    squaredDifference: tf.squaredDifference,
  } as const; // prettier-ignore
  const comparisons = {
    greater: tf.greater, greaterEqual: tf.greaterEqual, less: tf.less, lessEqual: tf.lessEqual, equal: tf.equal,
    notEqual: tf.notEqual,
  } as const; // prettier-ignore
  const pairs: readonly (readonly [readonly number[], readonly number[]])[] = [
    [[13, 17], [13, 17]], [[13, 17], []], [[], [13, 17]], [[13, 17], [17]], [[13, 17], [13, 1]], [[13, 1], [1, 17]],
    [[2, 3, 5, 7], [3, 1, 7]], [[2, 1, 5, 1], [1, 3, 1, 7]], [[0, 4], [4]], [[1], [1]], [[40_009], [40_009]],
    [[300, 200], [200]],
  ]; // prettier-ignore
  for (const [a, b] of pairs) {
    for (const [name, f] of Object.entries(arithmetic))
      add(`${name} [${a}] [${b}]`, [normal(a), normal(b)], (x, y) => f(x, y));
    add(`pow [${a}] [${b}]`, [positive(a), normal(b)], (x, y) => tf.pow(x, y));
    for (const [name, f] of Object.entries(comparisons)) {
      add(`${name} [${a}] [${b}] int32`, [integers(a, 3), integers(b, 3)], (x, y) => f(x, y));
      add(`${name} [${a}] [${b}] float32`, [normal(a), normal(b)], (x, y) => f(x, y));
    }
    add(`add [${a}] [${b}] int32`, [integers(a, 2 ** 31), integers(b, 2 ** 31)], (x, y) => tf.add(x, y));
    for (const [name, f] of Object.entries({ and: tf.logicalAnd, or: tf.logicalOr }))
      add(`logical ${name} [${a}] [${b}]`, [flags(a), flags(b)], (x, y) => f(x, y));
  }
  const n = special.length;
  const left = () => tf.tensor2d(special, [n, 1]);
  const right = () => tf.tensor2d(special, [1, n]);
  for (const [name, f] of Object.entries({ ...arithmetic, ...comparisons, pow: tf.pow }))
    add(`${name} of special values`, [left(), right()], (x, y) => f(x, y));
  for (const exponent of [0, 1, 2, 3, 0.5, -1])
    add(`pow to the ${exponent}`, [tf.tensor1d(special)], (x) => tf.pow(x, exponent));
  add('pow of integers as floats', [integers([5, 7], 9), integers([7], 4)], (x, y) =>
    tf.pow(tf.cast(x, 'float32'), tf.cast(y, 'float32')),
  );
  add('relu of integers as floats', [integers([5, 7], 9)], (x) => tf.relu(tf.cast(x, 'float32')));
  add('addN', [normal([5, 7]), normal([5, 7]), normal([5, 7])], (...x) => tf.addN(x));
  add('where', [flags([5, 7]), normal([5, 7]), normal([5, 7])], (c, x, y) => tf.where(c, x, y));
  add('where of flags', [flags([9]), flags([9]), flags([9])], (c, x, y) => tf.where(c, x, y));
  add('where of nothing', [flags([0]), normal([0]), normal([0])], (c, x, y) => tf.where(c, x, y));
  add('where int32', [flags([9]), integers([9], 5), integers([9], 5)], (c, x, y) => tf.where(c, x, y));
}

function products(): void {
  const sizes: readonly (readonly [number, number, number])[] = [
    [1, 1, 1], [1, 300, 200], [3, 65, 129], [4, 17, 600], [5, 1, 7], [7, 13, 1], [17, 33, 65], [31, 64, 257],
    [100, 48, 700], [129, 130, 131], [64, 96, 2500], [200, 200, 64], [13, 16, 0], [0, 4, 5], [5, 0, 5],
  ]; // prettier-ignore
  for (const [m, n, k] of sizes)
    for (const ta of [false, true])
      for (const tb of [false, true])
        add(
          `matMul ${m}×${k}×${n}${ta ? ' a transposed' : ''}${tb ? ' b transposed' : ''}`,
          [normal(ta ? [k, m] : [m, k]), normal(tb ? [n, k] : [k, n])],
          (a, b) => tf.matMul(a, b, ta, tb),
          2e-5 * Math.max(1, Math.sqrt(k / 50)),
        );
  add('matMul of many', [normal([2, 3, 9, 20]), normal([2, 3, 20, 11])], (a, b) => tf.matMul(a, b), 1e-5);
  add('matMul of many small', [normal([50, 6, 5]), normal([50, 5, 4])], (a, b) => tf.matMul(a, b), 1e-5);
  add('matMul by one', [normal([6, 9, 20]), normal([1, 20, 11])], (a, b) => tf.matMul(a, b), 1e-5);
  add('matMul of one by many', [normal([1, 9, 20]), normal([6, 20, 11])], (a, b) => tf.matMul(a, b), 1e-5);
  add('matMul of flags as floats', [flags([9, 20]), normal([20, 11])], (a, b) =>
    tf.matMul(tf.cast(a, 'float32'), b),
  );
  add(
    'matMul with NaN',
    [tf.tensor2d([NaN, 1, 0, 2], [2, 2]), tf.tensor2d([0, 1, 2, Infinity], [2, 2])],
    (a, b) => tf.matMul(a, b),
  );
  for (const activation of ['linear', 'relu', 'sigmoid', 'elu'] as const)
    add(
      `fused matMul with bias and ${activation}`,
      [normal([19, 23]), normal([23, 37]), normal([37])],
      (a, b, bias) => tf.fused.matMul({ a: a as never, b: b as never, bias, activation }),
      1e-5,
    );
}

function reductions(): void {
  const functions = { sum: tf.sum, mean: tf.mean, max: tf.max, min: tf.min, prod: tf.prod } as const;
  const boxes: readonly (readonly [readonly number[], number | number[] | undefined])[] = [
    [[7, 13], 1], [[7, 13], 0], [[7, 13], undefined], [[3, 5, 7], 1], [[3, 5, 7], [0, 2]], [[2, 3, 5, 7], [1, 2]],
    [[2, 3, 5, 7], [0, 3]], [[1, 1], 0], [[700, 33], 0], [[33, 700], 1], [[], undefined],
  ]; // prettier-ignore
  for (const [shape, axis] of boxes)
    for (const [name, f] of Object.entries(functions))
      for (const keepDims of [false, true])
        add(
          `${name} [${shape}] over ${axis ?? 'all'}${keepDims ? ' kept' : ''}`,
          [normal(shape)],
          (x) => f(x, axis, keepDims),
          2e-5,
        );
  add('sum of 100,003', [normal([100_003])], (x) => tf.sum(x), 5e-5);
  add('sum of int32', [integers([7, 13], 9)], (x) => tf.sum(x, 0));
  add('max of int32', [integers([7, 13], 9)], (x) => tf.max(x, 1));
  add('sum of flags', [flags([7, 13])], (x) => tf.sum(x, 1));
  add('sum with NaN', [tf.tensor2d([1, NaN, 3, 4], [2, 2])], (x) => tf.sum(x, 0));
  add('max with NaN', [tf.tensor2d([1, NaN, 3, 4, -Infinity, -1], [3, 2])], (x) => tf.max(x, 1));
  add('sum of nothing', [normal([0, 3])], (x) => tf.sum(x, 0));
  for (const shape of [[1], [5, 1], [3, 130], [2, 3, 17]]) {
    add(`softmax [${shape}]`, [normal(shape, 5)], (x) => tf.softmax(x));
    add(`logSoftmax [${shape}]`, [normal(shape, 5)], (x) => tf.logSoftmax(x));
  }
  add('softmax of −∞', [tf.tensor1d([-Infinity, 0, 1])], (x) => tf.softmax(x));
  for (const axis of [0, 1, 2]) {
    add(`argMax over ${axis}`, [normal([3, 5, 7])], (x) => tf.argMax(x, axis));
    add(`argMin over ${axis}`, [normal([3, 5, 7])], (x) => tf.argMin(x, axis));
    add(`cumsum over ${axis}`, [normal([3, 5, 7])], (x) => tf.cumsum(x, axis, axis === 1, axis === 2));
  }
  for (const axis of [0, 1, undefined]) {
    add(`all over ${axis ?? 'all'}`, [flags([3, 2])], (x) => tf.all(x, axis));
    add(`any over ${axis ?? 'all'}`, [flags([3, 2])], (x) => tf.any(x, axis, true));
  }
  for (const [shape, k] of [
    [[5, 40], 7],
    [[3, 1], 1],
    [[2, 3, 9], 9],
  ] as const)
    // prettier-ignore
    add(`topk ${k} of [${shape}]`, [normal(shape)], (x) => {
      const { values, indices } = tf.topk(x, k);
      return [values, indices];
    });
  add('topk of ties', [tf.tensor1d([1, 3, -0, 3, 0, 3])], (x) => tf.topk(x, 5).indices);
  add('argMax of ties', [tf.tensor1d([1, 3, 3, 2])], (x) => tf.argMax(x));
}

function movement(): void {
  const perms: readonly (readonly [readonly number[], readonly number[]])[] = [
    [[7, 13], [1, 0]], [[2, 5, 3, 8], [0, 2, 1, 3]], [[2, 5, 3, 8], [0, 2, 3, 1]], [[3, 4, 5], [2, 1, 0]],
    [[3, 4, 5], [1, 2, 0]], [[100, 70], [1, 0]], [[1, 9, 1], [2, 1, 0]], [[2, 3, 2, 3, 2], [4, 2, 0, 1, 3]], [[0, 3], [1, 0]],
  ]; // prettier-ignore
  for (const [shape, perm] of perms) {
    add(`transpose [${shape}] to [${perm}]`, [normal(shape)], (x) => tf.transpose(x, [...perm]));
    add(`transpose [${shape}] to [${perm}] int32`, [integers(shape, 99)], (x) => tf.transpose(x, [...perm]));
    add(`transpose [${shape}] to [${perm}] bool`, [flags(shape)], (x) => tf.transpose(x, [...perm]));
  }
  add('slice of rows', [normal([9, 7])], (x) => tf.slice(x, [2, 0], [3, 7]));
  add('slice of columns', [normal([9, 7])], (x) => tf.slice(x, [0, 3], [9, 2]));
  add('slice of nothing', [normal([9, 7])], (x) => tf.slice(x, [2, 3], [0, 2]));
  add('slice to the end', [normal([4, 5, 6])], (x) => tf.slice(x, [1, 2, 3], [-1, -1, -1]));
  add('stridedSlice', [normal([9, 7])], (x) => tf.stridedSlice(x, [8, 1], [0, 7], [-2, 3]));
  add('stridedSlice shrinking', [normal([9, 7])], (x) =>
    tf.stridedSlice(x, [2, 0], [3, 7], [1, 1], 0, 0, 0, 0, 1),
  );
  add('split', [normal([4, 12])], (x) => tf.split(x, 3, 1));
  add('split in unequal parts', [normal([7, 3])], (x) => tf.split(x, [2, 5], 0));
  add('unstack', [normal([4, 3, 5])], (x) => tf.unstack(x, 1));
  add('reverse', [normal([4, 3, 5])], (x) => tf.reverse(x, [0, 2]));
  add('concat rows', [normal([2, 5]), normal([3, 5]), normal([0, 5])], (...x) => tf.concat(x, 0));
  add('concat columns', [normal([3, 5]), normal([3, 1])], (...x) => tf.concat(x, 1));
  add('concat int32', [integers([3], 9), integers([2], 9)], (...x) => tf.concat(x, 0));
  add('stack', [normal([3, 5]), normal([3, 5])], (...x) => tf.stack(x, 1));
  add('pad', [normal([3, 5])], (x) => tf.pad(x, [[1, 2], [0, 3]], 7)); // prettier-ignore
  add('pad int32', [integers([3], 9)], (x) => tf.pad(x, [[1, 2]], 7));
  add('tile', [normal([3, 1, 5])], (x) => tf.tile(x, [2, 4, 1]));
  add('tile bool', [flags([3, 2])], (x) => tf.tile(x, [2, 3]));
  add('broadcastTo', [normal([5, 1])], (x) => tf.broadcastTo(x, [3, 5, 4]));
  const { fill } = tf;
  add('fill', [], () => fill([3, 4], 2.5));
  add('fill int32', [], () => fill([3, 4], 2, 'int32'));
  add('zeros of nothing', [], () => tf.zeros([0, 4]));
  add('reshape', [normal([3, 4])], (x) => tf.add(tf.reshape(x, [2, 6]), 1));
}

function indexing(): void {
  add('gather rows', [normal([11, 7]), integers([2, 5], 11)], (x, i) => tf.gather(x, i));
  add('gather columns', [normal([4, 11]), integers([5], 11)], (x, i) => tf.gather(x, i, 1));
  add('gather int32', [integers([11], 99), integers([5], 11)], (x, i) => tf.gather(x, i));
  add('gatherND of elements', [normal([5, 7]), integers([4, 2], 5)], (x, i) => tf.gatherND(x, i));
  add('gatherND of rows', [normal([5, 7]), integers([2, 3, 1], 5)], (x, i) => tf.gatherND(x, i));
  add('scatterND', [integers([6, 1], 4), normal([6, 3])], (i, x) => tf.scatterND(i, x, [5, 3]));
  add('scatterND of elements', [integers([6, 2], 4), normal([6])], (i, x) => tf.scatterND(i, x, [4, 5]));
  add('gather nothing', [normal([11, 7]), integers([0], 11)], (x, i) => tf.gather(x, i));
  add('unsortedSegmentSum', [normal([40, 7]), integers([40], 5)], (x, i) =>
    tf.unsortedSegmentSum(x, i as never, 9),
  );
  add('unsortedSegmentSum of scalars', [normal([40]), integers([40], 5)], (x, i) =>
    tf.unsortedSegmentSum(x, i as never, 5),
  );
  add('oneHot', [integers([3, 4], 5)], (i) => tf.oneHot(i as never, 5));
  add('oneHot float32', [integers([7], 9)], (i) => tf.oneHot(i as never, 5, 2, -1, 'float32'));
  add('gradient of gather', [normal([11, 7]), integers([20], 11)], (x, i) =>
    tf.grad((w) => tf.sum(tf.square(tf.gather(w, i))))(x),
  );
}
