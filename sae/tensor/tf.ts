/**
 * The one place TF.js is imported. Everything else takes `tf` from here.
 *
 * The umbrella package's CommonJS build is required on purpose: it registers the gradients and the
 * chained operators, while tfjs-core's ES build does not load in Node (extensionless imports) and its
 * CommonJS build registers no gradients at all.
 */
import { createRequire } from 'node:module';
import type * as Tf from '@tensorflow/tfjs';

const require = createRequire(import.meta.url);

// TF.js prints an advertisement for tfjs-node on load; standard output belongs to the caller's JSON.
const { warn } = globalThis.console;
globalThis.console.warn = () => {};
export const tf = require('@tensorflow/tfjs') as typeof Tf;
globalThis.console.warn = warn;

export type { Tf };
export type Tensor = Tf.Tensor;
export type Scalar = Tf.Scalar;
export type Tensor1D = Tf.Tensor1D;
export type Tensor2D = Tf.Tensor2D;
export type Tensor3D = Tf.Tensor3D;
export type Tensor4D = Tf.Tensor4D;
export type Variable = Tf.Variable;
