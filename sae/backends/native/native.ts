import { tf } from '../../tensor/tf.ts';
import { isLazyscopeError, LazyscopeError } from '../../errors.ts';
import { registerFusedKernels } from '../../ops/kernelTable.ts';
import { registerStoredTensors } from '../../ops/storedTensor.ts';
import { registerTopPairs } from '../../ops/topPairs.ts';
import type { Backend } from '../backend.ts';
import { fusedDefaults, nativeFusedKernels, type FusedOptions } from './fused.ts';
import { registerKernels } from './kernels/registerKernels.ts';
import { defaultThreads, nativeLibrary, type NativeLibrary } from './library.ts';
import { NativeBackend } from './nativeBackend.ts';
import { storedTensors } from './storedTensors.ts';
import { nativeTopPairs } from './topPairs.ts';

const fusedOptions: FusedOptions = { ...fusedDefaults };

/** Instruction sets by the width of their vectors, in floats. */
function vectors(width: number): string {
  if (width === 16) return 'AVX-512';
  if (width === 8) return 'AVX';
  return process.arch === 'arm64' ? 'NEON' : '128-bit vectors';
}

function describe(library: NativeLibrary): string {
  const width = library.functions.vectorWidth();
  const screens = library.functions.canScreen() === 1;
  return `C++ kernels with ${vectors(width)}${screens ? ', screening in 16-bit integers' : ''}, compiled by ${library.compiler}`;
}

/** C++ kernels compiled for this CPU, on all its cores; TF.js's JavaScript for the rest. */
export const nativeBackend: Backend = {
  name: 'native',
  async start({ threads = defaultThreads(), screening = true, path = 'auto' }) {
    fusedOptions.denseAbove = ({ auto: 'measured', sparse: 1, dense: -1 } as const)[path];
    fusedOptions.screening = screening ? 'whereItPays' : 'never';
    const library = await nativeLibrary();
    if (!tf.findBackend('native')) {
      const backend = new NativeBackend();
      registerKernels('native', backend, library);
      tf.registerBackend('native', () => backend);
      registerFusedKernels(nativeFusedKernels(backend, library, fusedOptions));
      registerStoredTensors('native', storedTensors(backend, library));
      registerTopPairs('native', nativeTopPairs(library, fusedOptions));
    }
    if (!(await tf.setBackend('native')))
      throw new LazyscopeError('unavailable', 'TF.js refused the native backend: run npm ci again.');
    await tf.ready();
    library.functions.setThreads(threads);
    return { threads, detail: describe(library) };
  },
  async probe() {
    try {
      return { name: 'native', works: true, detail: describe(await nativeLibrary()) };
    } catch (error) {
      if (!isLazyscopeError(error)) throw error;
      const remedy = 'Install a C++17 compiler (g++ or clang++), or name yours in CXX.';
      return { name: 'native', works: false, detail: error.message, remedy };
    }
  },
};
