/**
 * Whether a device multiplies matrices by whole subgroups as kernels/matrixProduct.ts needs it. The extension of WGSL is experimental, so
 * a product whose result is known is computed first, on a device of its own: a driver that refuses it, or crashes, costs nothing else.
 */
import { type Adapter, subgroupMatrixFeature } from './adapter.ts';
import {
  isMatrixProduct,
  matrixProduct,
  matrixProductBytes,
  matrixProductGroups,
} from './kernels/matrixProduct.ts';
import type { ProductSize } from './kernels/product.ts';
import { sourceOf } from './programs.ts';
import { uniformBytes } from './uniforms.ts';

interface MatrixConfiguration {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}
type MatrixInfo = GPUAdapterInfo & { readonly subgroupMatrixConfigs?: readonly MatrixConfiguration[] };

/** With rows, columns and a depth that are no multiples of any tile. */
const trial: ProductSize = {
  batch: 1,
  rows: 144,
  columns: 200,
  depth: 104,
  a: { transposed: false, shared: false },
  b: { transposed: true, shared: false },
  centred: false,
  biased: true,
  storage: 'f16',
  splits: 1,
};

/** Null where they work, and otherwise the reason. */
export async function subgroupMatricesLack({ gpu }: Adapter): Promise<string | null> {
  if (!gpu.features.has(subgroupMatrixFeature)) return `the feature ${subgroupMatrixFeature} is missing`;
  const { subgroupMatrixConfigs = [], subgroupMinSize, subgroupMaxSize } = gpu.info as MatrixInfo;
  const known = [...subgroupMatrixConfigs].some(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === 'f16' && resultComponentType === 'f32' && M === 16 && N === 16 && K === 16,
  );
  if (!known) {
    const offered = [...subgroupMatrixConfigs].map(
      (c) => `${c.M}×${c.N}×${c.K} ${c.componentType} to ${c.resultComponentType}`,
    );
    return `16×16×16 from f16 to f32 is not among ${offered.join(', ') || 'none'}`;
  }
  if (subgroupMinSize !== 32 || subgroupMaxSize !== 32)
    return `subgroups have ${subgroupMinSize} to ${subgroupMaxSize} threads and not 32`;
  const { maxComputeWorkgroupStorageSize } = gpu.limits;
  if (maxComputeWorkgroupStorageSize < matrixProductBytes)
    return `a workgroup has ${maxComputeWorkgroupStorageSize} bytes and not ${matrixProductBytes}`;
  const device = await gpu.requestDevice({
    requiredFeatures: [subgroupMatrixFeature, 'shader-f16', 'subgroups'],
    requiredLimits: { maxComputeWorkgroupStorageSize },
  });
  try {
    return await lack(device, 'subgroups');
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    device.destroy();
  }
}

/** Computes the trial product and compares it with the exact one. Exported for the test of its plain twin. */
export async function lack(device: GPUDevice, means: 'subgroups' | 'plain'): Promise<string | null> {
  if (!isMatrixProduct(trial)) throw new Error('The trial is no product of this kernel.');
  const program = matrixProduct(trial, undefined, means);
  const { rows, columns, depth } = trial;
  // Halves and sums are exact.
  const a = Array.from({ length: rows * depth }, (_, i) => ((i * 37) % 61) - 30);
  const b = Array.from({ length: columns * depth }, (_, i) => (((i * 23) % 29) - 14) / 4);
  const bias = Float32Array.from({ length: columns }, (_, i) => i / 8);
  device.pushErrorScope('internal');
  device.pushErrorScope('validation');
  const made: GPUBuffer[] = [];
  const buffer = (size: number, usage: number, values?: ArrayBuffer) => {
    const memory = device.createBuffer({ size, usage, mappedAtCreation: values !== undefined });
    if (values) {
      new Uint8Array(memory.getMappedRange()).set(new Uint8Array(values));
      memory.unmap();
    }
    made.push(memory);
    return memory;
  };
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const size = 4 * rows * columns;
  const result = buffer(size, STORAGE | COPY_SRC);
  const operands = [
    buffer(2 * a.length, STORAGE, halves(a)),
    buffer(2 * b.length, STORAGE, halves(b)),
    result,
    buffer(bias.byteLength, STORAGE, bias.buffer),
    buffer(uniformBytes(program.uniforms).byteLength, UNIFORM, uniformBytes(program.uniforms)),
  ];
  const shader = device.createShaderModule({ code: sourceOf(program, false) });
  const pipeline = device.createComputePipeline({
    layout: 'auto',
    compute: { module: shader, entryPoint: 'main' },
  });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: operands.map((operand, binding) => ({ binding, resource: { buffer: operand } })),
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(matrixProductGroups(trial));
  pass.end();
  const staging = buffer(size, COPY_DST | MAP_READ);
  encoder.copyBufferToBuffer(result, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  for (const refused of [await device.popErrorScope(), await device.popErrorScope()])
    if (refused) return refused.message;
  await staging.mapAsync(GPUMapMode.READ);
  const got = new Float32Array(staging.getMappedRange());
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      let want = bias[column];
      for (let k = 0; k < depth; k++) want += a[row * depth + k] * b[column * depth + k];
      const is = got[row * columns + column];
      if (!(Math.abs(is - want) <= 1e-4 * Math.abs(want) + 1e-3))
        return `element (${row}, ${column}) of a product is ${is} and not ${want}`;
    }
  for (const memory of made) memory.destroy();
  return null;
}

/** Numbers of at most 11 significant bits, between 2⁻¹⁴ and 2¹⁶, in 16 bits each. */
function halves(values: readonly number[]): ArrayBuffer {
  const out = new Uint16Array(values.length);
  const word = new Uint32Array(1);
  const float = new Float32Array(word.buffer);
  values.forEach((value, i) => {
    float[0] = value;
    const sign = (word[0] >>> 16) & 0x8000;
    out[i] = value === 0 ? sign : sign | (((word[0] & 0x7fffffff) - 0x38000000) >>> 13);
  });
  return out.buffer;
}
