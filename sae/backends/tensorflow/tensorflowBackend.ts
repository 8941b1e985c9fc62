import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isLazyscopeError, LazyscopeError } from '../../errors.ts';
import { registerFusedKernels } from '../../ops/kernelTable.ts';
import { tf } from '../../tensor/tf.ts';
import type { Backend } from '../backend.ts';
import { defaultThreads } from '../native/library.ts';
import { tensorflowFusedKernels } from './fused.ts';
import { findAddon, remedy } from './installation/installation.ts';
import { describeTried, tryAddon } from './installation/tryAddon.ts';
import { registerNodeBackend, type NodeBackend } from './nodeKernels.ts';
import { Operations } from './operations.ts';

/** The one of this process: TensorFlow makes its threads once. */
let running: { backend: NodeBackend; threads: number } | undefined;

/**
 * TensorFlow's C library through tfjs-node's add-on and kernels, which `lazyscope tensorflow install` puts together. The fused kernels are
 * composed of TensorFlow's own operations.
 */
export const tensorflowBackend: Backend = {
  name: 'tensorflow',
  async start({ threads }) {
    const { backend, threads: own } = (running ??= load(threads));
    if (threads !== undefined && threads !== own)
      throw new LazyscopeError(
        'bad_input',
        `TensorFlow has made its ${own} threads in this process and can't change to ${threads}: start another process.`,
      );
    if (!(await tf.setBackend('tensorflow')))
      throw new LazyscopeError('unavailable', `TensorFlow loaded, but TF.js refused it. ${remedy}`);
    await tf.ready();
    const device = backend.isUsingGpuDevice ? `GPU${graphicsModels()}` : 'CPU';
    return { threads: own, detail: `TensorFlow ${backend.binding.TF_Version} on ${device}` };
  },
  async probe() {
    try {
      const place = findAddon();
      return { name: 'tensorflow', works: true, detail: describeTried(await tryAddon(place), place.source) };
    } catch (error) {
      if (!isLazyscopeError(error)) throw error;
      return { name: 'tensorflow', works: false, detail: error.message.replace(remedy, '').trim(), remedy };
    }
  },
};

/**
 * TensorFlow reads its settings from the environment when it makes its context. oneDNN's products are on by default only on processors with
 * AVX-512 VNNI; Eigen's, which are used otherwise, take half as much again of a processor's time.
 */
function load(threads = defaultThreads()): NonNullable<typeof running> {
  const { packageFolder, addon, source } = findAddon();
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  process.env['TF_ENABLE_ONEDNN_OPTS'] ??= '1';
  process.env['TF_NUM_INTRAOP_THREADS'] = String(threads);
  try {
    const backend = registerNodeBackend(packageFolder, addon);
    registerFusedKernels(tensorflowFusedKernels(new Operations(backend)));
    return { backend, threads };
  } catch (cause) {
    throw new LazyscopeError('unavailable', `TensorFlow from ${source} does not load. ${remedy}`, { cause });
  }
}

/** What the driver calls the GPUs, in brackets; nothing where it doesn't say. */
function graphicsModels(): string {
  const folder = '/proc/driver/nvidia/gpus';
  try {
    const models = readdirSync(folder).map(
      (gpu) =>
        /^Model:\s*(.+)$/m.exec(readFileSync(join(folder, gpu, 'information'), 'utf8'))?.[1].trim() ??
        'unknown',
    );
    return models.length > 0 ? ` (${[...new Set(models)].join(', ')})` : '';
  } catch {
    return '';
  }
}
