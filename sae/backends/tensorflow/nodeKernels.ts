/**
 * The JavaScript of tfjs-node: its backend and its kernels, each of which calls libtensorflow through the add-on. They are evaluated on
 * top of the tfjs-core that everything else uses, without the union package, the installer and the file formats that tfjs-node's own entry loads,
 * and with the functions of Node's `util` that Node 23 took away.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as os from 'node:os';
import { dirname, join, posix } from 'node:path';
import { compileFunction } from 'node:vm';
import { tf, type Tensor, type Tf } from '../../tensor/tf.ts';
import { withoutMessages } from './withoutMessages.ts';

/** An attribute of an operation of TensorFlow; `type` is one of the binding's `TF_ATTR_…`. */
export interface OpAttribute {
  name: string;
  type: number;
  value: number | boolean | string | readonly number[];
}

/** What the add-on says of a tensor that an operation made. */
export interface MadeTensor {
  id: number;
  shape: number[];
  dtype: number;
}

/** The add-on's functions that are used here. A number is a tensor's handle, which lives until it is deleted. */
export interface Binding {
  readonly TF_Version: string;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_INT64: number;
  readonly TF_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_SHAPE: number;
  readonly TF_ATTR_STRING: number;
  createTensor(shape: readonly number[], dtype: number, values: ArrayBufferView): number;
  deleteTensor(id: number): void;
  executeOp(name: string, attributes: readonly OpAttribute[], inputs: readonly number[], outputs: number): MadeTensor[]; // prettier-ignore
  isUsingGpuDevice(): boolean;
  getNumOfTensors(): number;
}

/** tfjs-node's backend, in what is used of it here. */
export interface NodeBackend extends Tf.KernelBackend {
  readonly binding: Binding;
  readonly isUsingGpuDevice: boolean;
  /** The handles of tensors, which are made of values in JavaScript when they are first used. */
  getInputTensorIds(tensors: readonly Tf.TensorInfo[]): number[];
  /** Takes over the handle; the tensor belongs to the surrounding tidy. */
  createOutputTensor(made: MadeTensor): Tensor;
  readonly tensorMap: { get(dataId: object): { id: number; values: unknown; refCount: number } };
}

type Exports = Record<string, unknown>;

const require = createRequire(import.meta.url);

/** What Node's `util` had. */
const util = {
  isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  isArray: Array.isArray,
};

/** The messages of TensorBoard need google-protobuf, and no computation needs them. */
const tensorBoardMessages = new Proxy(
  {},
  {
    get() {
      throw new Error('TensorBoard summaries of tfjs-node are not loaded here.');
    },
  },
);

/** Evaluates CommonJS files of the package, each once; what they import from outside is given here. */
class PackageModules {
  readonly #folder: string;
  readonly #evaluated = new Map<string, Exports>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** `path` is relative to the package, without extension. Throws for a file that imports what isn't known here. */
  load(path: string): Exports {
    const known = this.#evaluated.get(path);
    if (known) return known;
    const exports: Exports = {};
    this.#evaluated.set(path, exports);
    const filename = join(this.#folder, `${path}.js`);
    const run = compileFunction(readFileSync(filename, 'utf8'), ['exports', 'require'], { filename }) as (
      exports: Exports,
      require: (name: string) => unknown,
    ) => void;
    run(exports, (name) => this.#import(name, path));
    return exports;
  }

  #import(name: string, importer: string): unknown {
    if (name === '@tensorflow/tfjs' || name === '@tensorflow/tfjs-core') return tf;
    if (name === 'util') return util;
    if (name === 'os') return os;
    const target = posix.join(dirname(importer), name);
    if (target === 'dist/proto/api_pb') return tensorBoardMessages;
    if (name.startsWith('.')) return this.load(target);
    throw new Error(
      `${importer} of tfjs-node imports ${name}, which is not known here: is it the pinned version?`,
    );
  }
}

/**
 * Registers tfjs-node's backend and kernels with TF.js under the name `tensorflow`. The add-on is loaded here; whatever `dlopen` throws
 * is thrown.
 */
export function registerNodeBackend(packageFolder: string, addon: string): NodeBackend {
  const binding = withoutMessages(() => require(addon) as Binding);
  const modules = new PackageModules(packageFolder);
  const { NodeJSKernelBackend } = modules.load('dist/nodejs_kernel_backend') as unknown as {
    NodeJSKernelBackend: new (binding: Binding, packageName: string) => NodeBackend;
  };
  const backend = new NodeJSKernelBackend(binding, '@tensorflow/tfjs-node-gpu');
  tf.registerBackend('tensorflow', () => backend);
  modules.load('dist/register_all_kernels');
  for (const kernel of tf.getKernelsForBackend('tensorflow')) registerTidied(kernel);
  return backend;
}

/**
 * Kernels of tfjs-node make tensors besides their result, and not all of them dispose these; TF.js tidies what operations leave and not what kernels
 * do. So each kernel runs in a scope of its own, which nothing but its result leaves.
 */
function registerTidied(kernel: Tf.KernelConfig): void {
  const { kernelName, backendName, kernelFunc } = kernel;
  tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({
    ...kernel,
    kernelFunc: (parameters) => tf.tidy(kernelName, () => kernelFunc(parameters) as Tensor | Tensor[]),
  });
}
