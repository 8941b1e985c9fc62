/**
 * The one place TF.js is imported. Everything else takes `tf` from here: tfjs-core, its gradients and chained
 * operators (see coreModules.ts), and the CPU backend, to which kernels that another backend lacks fall back.
 */
/// <reference types="@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops" resolution-mode="require" preserve="true" />
import { createRequire } from 'node:module';
import type * as Tf from '@tensorflow/tfjs-core';
import { CoreModules } from './coreModules.ts';
import { quickenScopeEnds } from './quickScopeEnds.ts';

const require = createRequire(import.meta.url);

/** TF.js's core with its gradients and chained operators, as the library itself uses it. Tensors made by another copy of TF.js are not its own. */
export const tf = require('@tensorflow/tfjs-core') as typeof Tf;

// A process may evaluate this file twice, as a bundle and as a source; tfjs-core is one, and is told once.
if (!tf.getGradient('Abs')) {
  const modules = new CoreModules(tf);
  modules.load('register_all_gradients');
  modules.load('public/chained_ops/register_all_chained_ops');
  quickenScopeEnds(tf.engine(), (value) => value instanceof tf.Tensor);
}
require('@tensorflow/tfjs-backend-cpu');

export type { Tf };
/** A TF.js tensor of any rank. */
export type Tensor = Tf.Tensor;
/** A TF.js tensor of rank 0. */
export type Scalar = Tf.Scalar;
/** A TF.js tensor of rank 1. */
export type Tensor1D = Tf.Tensor1D;
/** A TF.js tensor of rank 2. */
export type Tensor2D = Tf.Tensor2D;
/** A TF.js tensor of rank 3. */
export type Tensor3D = Tf.Tensor3D;
export type Tensor4D = Tf.Tensor4D;
export type Variable = Tf.Variable;
