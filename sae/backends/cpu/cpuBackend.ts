import { tf } from '../../tensor/tf.ts';
import type { Backend } from '../backend.ts';

const detail = `TF.js ${tf.version_core} kernels in plain JavaScript, one thread`;

/** TF.js's own JavaScript kernels: slow, and the reference every other backend is tested against. */
export const cpuBackend: Backend = {
  name: 'cpu',
  async start() {
    await tf.setBackend('cpu');
    await tf.ready();
    // It prints an advertisement at its first write.
    Object.assign(tf.backend(), { firstUse: false });
    return { threads: 1, detail };
  },
  async probe() {
    return { name: 'cpu', works: true, detail };
  },
};
