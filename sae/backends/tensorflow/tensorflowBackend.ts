import { createRequire } from 'node:module';
import { tf } from '../../tensor/tf.ts';
import { LazyscopeError } from '../../errors.ts';
import type { Backend } from '../backend.ts';

const require = createRequire(import.meta.url);
const packages = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;
const remedy =
  'Run npm install --no-save @tensorflow/tfjs-node-gpu (or tfjs-node): its installer downloads the TensorFlow library.';

/** The first package that loads, or what went wrong with each. */
function load(): { name: string } | { failures: string[]; cause: unknown } {
  const failures: string[] = [];
  let cause: unknown;
  for (const name of packages) {
    try {
      require(name);
      return { name };
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND';
      failures.push(`${name} ${missing ? 'is not installed' : 'does not load'}`);
      cause = error;
    }
  }
  return { failures, cause };
}

/**
 * TensorFlow's C library through tfjs-node-gpu or tfjs-node. Both are optional: their installers download
 * a library, which must never break `npm install`.
 */
export const tensorflowBackend: Backend = {
  name: 'tensorflow',
  async start() {
    const loaded = load();
    if (!('name' in loaded))
      throw new LazyscopeError(
        'unavailable',
        `Backend tensorflow can't start: ${loaded.failures.join(', ')}. ${remedy}`,
        { cause: loaded.cause },
      );
    if (!(await tf.setBackend('tensorflow')))
      throw new LazyscopeError(
        'unavailable',
        `${loaded.name} loaded, but TensorFlow did not start. ${remedy}`,
      );
    await tf.ready();
    return { threads: 1, detail: `TensorFlow through ${loaded.name}` };
  },
  async probe() {
    const loaded = load();
    if ('name' in loaded) return { name: 'tensorflow', works: true, detail: `through ${loaded.name}` };
    return { name: 'tensorflow', works: false, detail: loaded.failures.join(', '), remedy };
  },
};
