/**
 * cuBLASLt: one matrix product in column-major order, by the algorithm that the library thinks best for its sizes. The
 * descriptors and the algorithm of a product are kept, so that repeating it is one call.
 */
import koffi from 'koffi';
import { LazyscopeError } from '../../errors.ts';
import { binder, out } from './binding.ts';
import type { Device } from './device.ts';
import { NotCapturable } from './notCapturable.ts';
import type { Library } from './libraries.ts';

/** cudaDataType. */
export const dataType = { f32: 0, bf16: 14 } as const;
/** cublasComputeType_t. */
export const computeType = { f32: 68, tf32: 77 } as const;

const transposeA = 3;
const transposeB = 4;
const operation = { none: 0, transpose: 1 } as const;
const layoutBatchCount = 5;
const layoutBatchStride = 6;
const preferenceWorkspace = 1;
const preferenceAlignments = [5, 6, 7, 8] as const;

/** What NVIDIA recommends for Hopper. */
const workspaceBytes = 32 * 2 ** 20;
/** cublasLtMatmulHeuristicResult_t: the algorithm's 64 bytes, then its workspace, a status and more. */
const resultBytes = 96;
const algorithmBytes = 64;

function bind(library: Library) {
  const f = binder(library);
  return {
    create: f('cublasLtCreate', out('uint64')),
    descCreate: f('cublasLtMatmulDescCreate', out('uint64'), 'int', 'int'),
    descSet: f('cublasLtMatmulDescSetAttribute', 'uint64', 'int', 'void*', 'uint64'),
    layoutCreate: f('cublasLtMatrixLayoutCreate', out('uint64'), 'int', 'uint64', 'uint64', 'int64'),
    layoutSet: f('cublasLtMatrixLayoutSetAttribute', 'uint64', 'int', 'void*', 'uint64'),
    preferenceCreate: f('cublasLtMatmulPreferenceCreate', out('uint64')),
    preferenceSet: f('cublasLtMatmulPreferenceSetAttribute', 'uint64', 'int', 'void*', 'uint64'),
    preferenceDestroy: f('cublasLtMatmulPreferenceDestroy', 'uint64'),
    heuristic: f(
      'cublasLtMatmulAlgoGetHeuristic',
      ...Array<'uint64'>(7).fill('uint64'), 'int', 'void*', out('int'),
    ), // prettier-ignore
    multiply: f('cublasLtMatmul', ...Array<'uint64'>(14).fill('uint64'), 'uint64', 'uint64'),
    version: library.func('cublasLtGetVersion', 'uint64', []) as () => number | bigint,
  };
}

/** `cublasLtGetVersion`, as people write it. */
export function blasLtVersion(library: Library): string {
  const version = Number(bind(library).version());
  const [scale, step] = version >= 100_000 ? [10_000, 100] : [1000, 100];
  return `${Math.floor(version / scale)}.${Math.floor((version % scale) / step)}`;
}

/** A stored matrix, column-major: `rows` neighbouring elements, `columns` times, `leading` elements apart. */
export interface Layout {
  readonly type: keyof typeof dataType;
  readonly rows: number;
  readonly columns: number;
  readonly leading: number;
  /** Elements between the matrices of a batch. */
  readonly stride: number;
}

/** D = alpha·op(A)·op(B) + beta·D, `batch` times. */
export interface Multiplication {
  readonly a: Layout;
  readonly b: Layout;
  readonly d: Layout;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly batch: number;
  readonly compute: keyof typeof computeType;
  /** The largest power of 2, 256 at most, that divides the addresses of A, B and D. */
  readonly alignments: readonly [number, number, number];
}

interface Plan {
  readonly description: number;
  readonly layouts: readonly [number, number, number];
  /** Kept alive: `algorithmAddress` points into it. */
  readonly algorithm: Uint8Array;
  readonly algorithmAddress: number;
}

const statusNames: Readonly<Record<number, string>> = {
  1: 'CUBLAS_STATUS_NOT_INITIALIZED',
  3: 'CUBLAS_STATUS_ALLOC_FAILED',
  7: 'CUBLAS_STATUS_INVALID_VALUE',
  8: 'CUBLAS_STATUS_ARCH_MISMATCH',
  11: 'CUBLAS_STATUS_MAPPING_ERROR',
  13: 'CUBLAS_STATUS_EXECUTION_FAILED',
  14: 'CUBLAS_STATUS_INTERNAL_ERROR',
  15: 'CUBLAS_STATUS_NOT_SUPPORTED',
};

export class BlasLt {
  readonly #device: Device;
  readonly #functions: ReturnType<typeof bind>;
  readonly #handle: number;
  readonly #workspace: number;
  readonly #plans = new Map<string, Plan>();
  /** alpha and beta, which the library reads while it is called. */
  readonly #scales = new Float32Array(2);
  readonly #scalesAddress = Number(koffi.address(this.#scales.buffer));

  constructor(device: Device, library: Library) {
    this.#device = device;
    this.#functions = bind(library);
    device.driver.enter();
    const place = [0];
    this.#check('cublasLtCreate', this.#functions.create(place));
    this.#handle = place[0];
    this.#workspace = device.driver.read('cuMemAlloc', workspaceBytes);
  }

  /** How many products of different shapes there have been. */
  get plans(): number {
    return this.#plans.size;
  }

  /** Addresses on the device; on the compute stream. */
  multiply(m: Multiplication, at: { a: number; b: number; d: number }, alpha: number, beta: number): void {
    const key = keyOf(m);
    let plan = this.#plans.get(key);
    if (!plan) {
      if (this.#device.capturing) throw new NotCapturable('an algorithm for a product had to be found');
      this.#device.driver.enter();
      plan = this.#plan(m);
      this.#plans.set(key, plan);
    }
    const [a, b, d] = plan.layouts;
    this.#device.driver.enter();
    this.#scales[0] = alpha;
    this.#scales[1] = beta;
    const code = this.#functions.multiply(
      this.#handle, plan.description, this.#scalesAddress, at.a, a, at.b, b, this.#scalesAddress + 4, at.d, d, at.d, d,
      plan.algorithmAddress, this.#workspace, workspaceBytes, this.#device.stream,
    ); // prettier-ignore
    if (code !== 0) {
      // An earlier kernel may have failed, which the library would report in its own words.
      this.#device.driver.check();
      this.#device.synchronize();
      throw this.#failed(`cublasLtMatmul of ${describe(m)}`, code);
    }
  }

  #plan(m: Multiplication): Plan {
    const f = this.#functions;
    const description = this.#made('cublasLtMatmulDescCreate', (place) =>
      f.descCreate(place, computeType[m.compute], dataType.f32),
    );
    const set = (which: number, value: number) =>
      this.#check('cublasLtMatmulDescSetAttribute', f.descSet(description, which, Int32Array.of(value), 4));
    set(transposeA, m.transposeA ? operation.transpose : operation.none);
    set(transposeB, m.transposeB ? operation.transpose : operation.none);
    const layouts = [
      this.#layout(m.a, m.batch),
      this.#layout(m.b, m.batch),
      this.#layout(m.d, m.batch),
    ] as const;
    const algorithm = this.#algorithm(m, description, layouts);
    const algorithmAddress = Number(koffi.address(algorithm.buffer)) + algorithm.byteOffset;
    return { description, layouts, algorithm, algorithmAddress };
  }

  #layout({ type, rows, columns, leading, stride }: Layout, batch: number): number {
    const f = this.#functions;
    const layout = this.#made('cublasLtMatrixLayoutCreate', (place) =>
      f.layoutCreate(place, dataType[type], rows, columns, leading),
    );
    if (batch > 1) {
      const set = (which: number, value: Int32Array | BigInt64Array) =>
        this.#check('cublasLtMatrixLayoutSetAttribute', f.layoutSet(layout, which, value, value.byteLength));
      set(layoutBatchCount, Int32Array.of(batch));
      set(layoutBatchStride, BigInt64Array.of(BigInt(stride)));
    }
    return layout;
  }

  #algorithm(
    m: Multiplication,
    description: number,
    [a, b, d]: readonly [number, number, number],
  ): Uint8Array {
    const f = this.#functions;
    const preference = this.#made('cublasLtMatmulPreferenceCreate', (place) => f.preferenceCreate(place));
    const set = (which: number, value: Uint32Array | BigUint64Array) =>
      this.#check(
        'cublasLtMatmulPreferenceSetAttribute',
        f.preferenceSet(preference, which, value, value.byteLength),
      );
    set(preferenceWorkspace, BigUint64Array.of(BigInt(workspaceBytes)));
    const [alignA, alignB, alignD] = m.alignments;
    [alignA, alignB, alignD, alignD].forEach((bytes, i) =>
      set(preferenceAlignments[i], Uint32Array.of(bytes)),
    );
    const result = new Uint8Array(resultBytes);
    const count = [0];
    const code = f.heuristic(
      this.#handle, description, a, b, d, d, preference, 1, result, count,
    ); // prettier-ignore
    f.preferenceDestroy(preference);
    if (code !== 0 || count[0] === 0)
      throw this.#failed(`cublasLtMatmulAlgoGetHeuristic of ${describe(m)}`, code || 15);
    return result.slice(0, algorithmBytes);
  }

  #made(call: string, make: (place: number[]) => number): number {
    const place = [0];
    this.#check(call, make(place));
    return Number(place[0]);
  }

  #check(call: string, code: number): void {
    if (code !== 0) throw this.#failed(call, code);
  }

  #failed(call: string, code: number): LazyscopeError {
    return new LazyscopeError(
      'unavailable',
      `The GPU (${this.#device.name}) refused ${call} (${statusNames[code] ?? `status ${code}`}): run lazyscope doctor, and choose --backend native if it happens again.`,
    );
  }
}

function keyOf({ a, b, d, transposeA, transposeB, batch, compute, alignments }: Multiplication): string {
  const layout = ({ type, rows, columns, leading, stride }: Layout) =>
    `${type},${rows},${columns},${leading},${batch > 1 ? stride : 0}`;
  return `${layout(a)};${layout(b)};${layout(d)};${transposeA}${transposeB}${batch}${compute}${alignments.join()}`;
}

function describe({ a, d, transposeA, batch, compute }: Multiplication): string {
  const inner = transposeA ? a.rows : a.columns;
  const many = batch > 1 ? `${batch} products ` : 'a product ';
  return `${many}${d.columns}×${inner}×${d.rows} in ${a.type === 'bf16' ? 'bf16' : compute}`;
}
