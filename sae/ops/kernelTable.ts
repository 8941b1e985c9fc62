/** Which fused kernels the active backend runs: its own table where it has registered one, the reference otherwise. */
import { tf } from '../tensor/tf.ts';
import type { FusedKernels } from './fusedKernels.ts';
import { registerFusedOps } from './fusedOps.ts';
import { referenceKernels } from './referenceKernels.ts';

const tables = new Map<string, FusedKernels>();

/** Makes `kernels` the table of its backend and registers its pure ops with TF.js. Repeating it changes nothing. */
export function registerFusedKernels(kernels: FusedKernels, backend = kernels.backend): void {
  if (tables.get(backend) === kernels) return;
  tables.set(backend, kernels);
  registerFusedOps(kernels, backend);
}

/** The kernels of the active backend: its own table where it has registered one, the reference otherwise. */
export function fusedKernels(): FusedKernels {
  const backend = tf.getBackend();
  const kernels = tables.get(backend);
  if (kernels) return kernels;
  registerFusedKernels(referenceKernels, backend);
  return referenceKernels;
}
