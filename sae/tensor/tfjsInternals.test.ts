/**
 * What this project uses of TF.js beyond its documented interface. When a version moves, the test that fails says what
 * changed and which file leans on it; the versions themselves are pinned exactly in package.json.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { BufferPool } from '../backends/webgpu/bufferPool.ts';
import { tf, type Tensor } from './tf.ts';

const require = createRequire(import.meta.url);
const root = join(import.meta.dirname, '..', '..');

interface Manifest {
  version: string;
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
}
const readManifest = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Manifest;
const { dependencies, optionalDependencies, peerDependencies } = readManifest(join(root, 'package.json'));

/** Where the package is installed; null for an optional one that isn't. */
function folderOf(name: string): string | null {
  const folder = require.resolve.paths(name)?.map((path) => join(path, name));
  return folder?.find((path) => { try { readManifest(join(path, 'package.json')); return true; } catch { return false; } }) ?? null; // prettier-ignore
}

test.each([
  ['@tensorflow/tfjs-core', 'sae/tensor/coreModules.ts'],
  ['@tensorflow/tfjs-backend-cpu', 'sae/backends/native/nativeBackend.ts'],
  ['@tensorflow/tfjs-backend-wasm', 'sae/backends/wasm/segmentSum.ts'],
  ['@tensorflow/tfjs-backend-webgpu', 'sae/backends/webgpu/deviceBackend.ts'],
  ['webgpu', 'sae/backends/webgpu/dawn.ts'],
])('%s is pinned to one version, and that one is installed', (name, user) => {
  const pinned = dependencies[name] ?? optionalDependencies[name];
  expect(pinned, `${user} leans on the inside of ${name}: package.json must name one version`).toMatch(
    /^\d+\.\d+\.\d+$/,
  );
  const folder = folderOf(name);
  if (!folder && name in optionalDependencies) return;
  expect(readManifest(join(folder as string, 'package.json')).version).toBe(pinned);
});

test('tfjs-node, which a user may add, is asked for in the version of tfjs-core: two engines would not share tensors', () => {
  for (const name of ['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'])
    expect(peerDependencies[name]).toBe(dependencies['@tensorflow/tfjs-core']);
});

describe('tfjs-backend-cpu', () => {
  const { MathBackendCPU } = require('@tensorflow/tfjs-backend-cpu') as {
    MathBackendCPU: new () => Record<string, unknown>;
  };
  const user = 'sae/backends/native/nativeBackend.ts leans on it';

  test('firstUse decides whether the first write prints an advertisement', () => {
    const warn = vi.spyOn(globalThis.console, 'warn').mockImplementation(() => {});
    for (const silent of [true, false]) {
      const backend = new MathBackendCPU();
      expect(backend['firstUse'], `${user}, and sae/backends/cpu/cpuBackend.ts`).toBe(true);
      if (silent) backend['firstUse'] = false;
      (backend['write'] as (...args: unknown[]) => unknown)(new Float32Array(1), [1], 'float32');
      expect(warn.mock.calls.length > 0, user).toBe(!silent);
    }
    warn.mockRestore();
  });

  test('`data` holds the very array of a tensor, and `disposeData` says whether it let go of it', () => {
    interface Cpu {
      data: {
        get(id: object): { values: unknown; dtype: string; refCount: number };
        has(id: object): boolean;
      };
      makeTensorInfo(shape: number[], dtype: string, values: Float32Array): { dataId: object };
      readSync(id: object): unknown;
      incRef(id: object): void;
      disposeData(id: object, force?: boolean): boolean;
    }
    const backend = Object.assign(new MathBackendCPU(), { firstUse: false }) as unknown as Cpu;
    const values = Float32Array.of(1, 2);
    const { dataId } = backend.makeTensorInfo([2], 'float32', values);
    expect(backend.data.get(dataId), user).toMatchObject({ dtype: 'float32', refCount: 1 });
    expect(backend.data.get(dataId).values, user).toBe(values);
    expect(backend.readSync(dataId), user).toBe(values);
    backend.incRef(dataId);
    expect(backend.disposeData(dataId), user).toBe(false);
    expect(backend.data.has(dataId), user).toBe(true);
    expect(backend.disposeData(dataId), user).toBe(true);
    expect(backend.data.has(dataId), user).toBe(false);
  });

  test.each(['Identity', 'Reshape', 'ExpandDims'])(
    '%s shares the memory of its input by counting references',
    async (kernelName) => {
      await tf.setBackend('cpu');
      const who = `sae/backends/native/kernels/registerKernels.ts leans on it`;
      const x = tf.tensor1d([1, 2, 3]);
      const attrs = { shape: [3, 1], dim: 0 };
      const y = tf.engine().runKernel(kernelName, { x, input: x }, attrs) as typeof x;
      expect(y.dataId, who).toBe(x.dataId);
      x.dispose();
      expect([...y.dataSync()], who).toEqual([1, 2, 3]);
      y.dispose();
    },
  );

  test('its kernels can be listed, and take their backend as an argument', () => {
    const who = 'sae/backends/native/kernels/registerKernels.ts leans on it';
    const configs = tf.getKernelsForBackend('cpu');
    expect(configs.length, who).toBeGreaterThan(150);
    for (const { kernelName, kernelFunc } of configs)
      expect(kernelFunc, `${kernelName}: ${who}`).toBeTypeOf('function');
  });
});

test('shape calculations of tfjs-core read only the shape of the tensor they are given', () => {
  const who = 'sae/backends/native/kernels/movement.ts leans on it';
  const onlyShape = { shape: [4, 5] } as Tensor;
  expect(tf.slice_util.parseSliceParams(onlyShape, [1, 2], [-1, 2]), who).toEqual([
    [1, 2],
    [3, 2],
  ]);
  expect(() => tf.slice_util.assertParamsValid(onlyShape, [1, 2], [3, 2]), who).not.toThrow();
  expect(tf.backend_util.prepareSplitSize(onlyShape, [1, -1], 1), who).toEqual([1, 4]);
});

test('the engine runs kernels by name and makes tensors of what a kernel returns', () => {
  expect(tf.engine().runKernel, 'sae/ops/fusedKernel.ts leans on it').toBeTypeOf('function');
  expect(
    tf.engine().makeTensorFromTensorInfo,
    'sae/backends/native/fused.ts and sae/backends/webgpu/deviceBackend.ts lean on it',
  ).toBeTypeOf('function');
});

describe.skipIf(!folderOf('@tensorflow/tfjs-backend-webgpu'))('tfjs-backend-webgpu', () => {
  const user = 'sae/backends/webgpu/deviceBackend.ts leans on it';
  const name = '@tensorflow/tfjs-backend-webgpu';
  const load = () => require(name) as { WebGPUBackend: new () => Record<string, unknown> };
  const source = () => readFileSync(require.resolve(name), 'utf8');

  test.each([
    'ensureCommandEncoderReady',
    'endComputePassEncoder',
    'shouldExecuteOnCPU',
    'submitQueue',
    'makeUniforms',
    'makeTensorInfo',
    'recordAndSubmit',
    'uploadToGPU',
    'disposeData',
    'readSync',
    'read',
    'write',
  ])('its method %s', (method) => {
    expect(load().WebGPUBackend.prototype[method], user).toBeTypeOf('function');
  });

  test.each([
    'device',
    'queue',
    'bufferManager',
    'tensorMap',
    'commandEncoder',
    'computePassEncoder',
    'commandQueueOwnedIds',
    'uniformPendingDisposal',
    'dispatchCountInPass',
  ])('its field %s is set by the constructor', (field) => {
    // The constructor needs a device; its text doesn't.
    expect(load().WebGPUBackend.toString(), user).toContain(`_this.${field} = `);
  });

  test('each dispatch asks the device for a group of bindings by its method, and leaves its uniforms last in a list', () => {
    const { makeUniforms, recordAndSubmit } = load().WebGPUBackend.prototype as Record<string, () => void>;
    const kept = 'sae/backends/webgpu/tfjsDispatches.ts takes its place';
    expect(recordAndSubmit.toString(), kept).toContain('this.device.createBindGroup(');
    expect(recordAndSubmit.toString(), kept).toContain('this.makeUniforms(');
    expect(makeUniforms.toString().match(/uniformPendingDisposal\.push\(/g), kept).toHaveLength(1);
  });

  test('it asks nothing of its buffer manager that our pool does not have', () => {
    const asked = new Set([...source().matchAll(/\.bufferManager\.(\w+)/g)].map(([, member]) => member));
    expect(asked.size, user).toBeGreaterThan(3);
    const has = [...Object.getOwnPropertyNames(BufferPool.prototype), 'numBytesUsed'];
    expect(
      [...asked].filter((member) => !has.includes(member)),
      'sae/backends/webgpu/bufferPool.ts takes its place',
    ).toEqual([]);
  });

  test('it counts dispatches up to a flag, and looks for navigator.gpu in its constructor', () => {
    load();
    expect(tf.env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE'), user).toBeGreaterThan(0);
    expect(source(), `withNavigator in ${user}`).toContain('navigator.gpu');
  });
});

test('tfjs-backend-wasm gives kernels a backend that reads and writes tensors', () => {
  const { BackendWasm } = require('@tensorflow/tfjs-backend-wasm') as {
    BackendWasm: new () => Record<string, unknown>;
  };
  for (const method of ['readSync', 'write'])
    expect(BackendWasm.prototype[method], 'sae/backends/wasm/segmentSum.ts leans on it').toBeTypeOf(
      'function',
    );
});
