/**
 * The one place TF.js is imported. Everything else takes `tf` from here: tfjs-core, its gradients and chained
 * operators (see coreModules.ts), and the CPU backend, to which kernels that another backend lacks fall back.
 */
/// <reference types="@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops" resolution-mode="require" preserve="true" />
import { createRequire } from 'node:module';
import type * as Tf from '@tensorflow/tfjs-core';
import { CoreModules } from './coreModules.ts';

const require = createRequire(import.meta.url);

export const tf = require('@tensorflow/tfjs-core') as typeof Tf;

// A process may evaluate this file twice, as a bundle and as a source; tfjs-core is one, and is told once.
if (!tf.getGradient('Abs')) {
  const modules = new CoreModules(tf);
  modules.load('register_all_gradients');
  modules.load('public/chained_ops/register_all_chained_ops');
}
require('@tensorflow/tfjs-backend-cpu');

export type { Tf };
export type Tensor = Tf.Tensor;
export type Scalar = Tf.Scalar;
export type Tensor1D = Tf.Tensor1D;
export type Tensor2D = Tf.Tensor2D;
export type Tensor3D = Tf.Tensor3D;
export type Tensor4D = Tf.Tensor4D;
export type Variable = Tf.Variable;
