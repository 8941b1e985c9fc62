import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import type * as Wasm from '@tensorflow/tfjs-backend-wasm';
import { tf } from '../../tensor/tf.ts';
import { LazyscopeError } from '../../errors.ts';
import { registerSegmentSum } from './segmentSum.ts';
import type { Backend } from '../backend.ts';

const require = createRequire(import.meta.url);
const packageName = '@tensorflow/tfjs-backend-wasm';

// Its threaded build needs web workers made from a blob's address, which Node does not have.
const detail = 'TF.js WebAssembly kernels with SIMD, one thread (its threads need a browser)';

/** TF.js's WebAssembly backend: what `auto` falls back to on a machine without a C++ compiler. */
export const wasmBackend: Backend = {
  name: 'wasm',
  async start() {
    try {
      const wasm = require(packageName) as typeof Wasm;
      wasm.setWasmPaths(dirname(require.resolve(packageName)) + sep);
      if (!(await tf.setBackend('wasm'))) throw new Error('TF.js refused the wasm backend');
      await tf.ready();
      if (!tf.getKernel('UnsortedSegmentSum', 'wasm')) registerSegmentSum();
    } catch (cause) {
      throw new LazyscopeError(
        'unavailable',
        'Backend wasm could not load @tensorflow/tfjs-backend-wasm: run npm ci again.',
        { cause },
      );
    }
    return { threads: 1, detail };
  },
  async probe() {
    try {
      require.resolve(packageName);
      return { name: 'wasm', works: true, detail };
    } catch {
      return {
        name: 'wasm',
        works: false,
        detail: '@tensorflow/tfjs-backend-wasm is not installed',
        remedy: 'Run npm ci again.',
      };
    }
  },
};
