/**
 * Chooses and starts the TF.js backend. A backend asked for by name starts or fails; only `auto` chooses,
 * and says why in `reason`.
 */
import { isLazyscopeError, LazyscopeError } from '../errors.ts';
import type {
  Backend,
  BackendName,
  BackendOptions,
  BackendProbe,
  ProductFormat,
  StorageFormat,
} from './backend.ts';
import { backendNames } from './backend.ts';
import { cpuBackend } from './cpu/cpuBackend.ts';
import { cudaBackend } from './cuda/cuda.ts';
import { nativeBackend } from './native/native.ts';
import { tensorflowBackend } from './tensorflow/tensorflowBackend.ts';
import { webgpuBackend } from './webgpu/webgpu.ts';
import { wasmBackend } from './wasm/wasmBackend.ts';

export type { BackendProbe } from './backend.ts';
/** A backend by name, or `auto` for the first that works, in the order cuda, native, webgpu, wasm. */
export type BackendChoice = 'auto' | BackendName;
export const backendChoices: readonly BackendChoice[] = ['auto', ...backendNames];

/** What was started, and why. */
export interface StartedBackend {
  name: BackendName;
  threads: number;
  /** What it runs on, for people. */
  detail: string;
  /** Why this one: asked for by name, or what `auto` found. */
  reason: string;
  /** Of what a training step reads many times, where it isn't f32. */
  storage?: Exclude<StorageFormat, 'f32'>;
  /** Of language models, where they aren't f32. */
  products?: Exclude<ProductFormat, 'f32'>;
}

const backends: Record<BackendName, Backend> = {
  native: nativeBackend,
  cuda: cudaBackend,
  webgpu: webgpuBackend,
  wasm: wasmBackend,
  tensorflow: tensorflowBackend,
  cpu: cpuBackend,
};

/**
 * What `auto` tries, in this order: on an H200 a training step takes a quarter of `webgpu`'s time or less on `cuda` (docs/GPU.md). `webgpu` comes after
 * `native` because the two have not been compared on GPUs of other makers. Only a real GPU is taken: what a processor pretends to be one for
 * is slower than `wasm`.
 */
const automatic: readonly BackendName[] = ['cuda', 'native', 'webgpu', 'wasm'];

/** The backend that has each format. */
const storedBy = { f16: 'webgpu', bf16: 'cuda' } as const;

/** Makes a backend TF.js's current one; everything computed afterwards runs on it. Throws `bad_input` for options that the backend does not have, `unavailable` when it can't run on this machine (with `auto`, when none can). */
export async function startBackend(
  choice: BackendChoice,
  options: BackendOptions = {},
): Promise<StartedBackend> {
  const { threads } = options;
  if (threads !== undefined && (!Number.isInteger(threads) || threads < 1))
    throw new LazyscopeError('bad_input', `threads must be a positive integer but is ${threads}.`);
  const { storage = 'f32' } = options;
  if (storage !== 'f32' && choice !== storedBy[storage])
    throw new LazyscopeError(
      'bad_input',
      `Storage ${storage} is the ${storedBy[storage]} backend's, not ${choice}'s: choose ${storedBy[storage]}, or f32.`,
    );
  if (options.products === 'tf32' && choice !== 'cuda')
    throw new LazyscopeError(
      'bad_input',
      `Products in tf32 are the cuda backend's, not ${choice}'s: choose cuda, or f32.`,
    );
  if (options.graphs === false && choice !== 'cuda')
    throw new LazyscopeError(
      'bad_input',
      `Graphs are the cuda backend's, so there are none to leave out on ${choice}: choose cuda.`,
    );
  if (options.devices !== undefined && choice !== 'cuda')
    throw new LazyscopeError(
      'bad_input',
      `Several devices are the cuda backend's, not ${choice}'s: choose cuda, or leave the devices out.`,
    );
  if (choice !== 'auto') return start(choice, options, 'asked for by name');

  const failures: string[] = [];
  for (const name of automatic) {
    try {
      return await start(
        name,
        { ...options, hardwareOnly: true },
        failures.join(' ') || 'the fastest backend, and it works here',
      );
    } catch (error) {
      if (!isLazyscopeError(error) || error.code !== 'unavailable') throw error;
      failures.push(error.message);
    }
  }
  throw new LazyscopeError('unavailable', `No backend starts here. ${failures.join(' ')}`);
}

/** The backends that have a choice between a list and a matrix of what fires. */
const withPaths: readonly BackendName[] = ['native', 'webgpu', 'cuda'];

async function start(name: BackendName, options: BackendOptions, reason: string): Promise<StartedBackend> {
  const { path = 'auto', screening = true } = options;
  if (path !== 'auto' && !withPaths.includes(name))
    throw new LazyscopeError(
      'bad_input',
      `Backend ${name} has one path only, so it can't take the ${path} one: choose native, webgpu or cuda, or path auto.`,
    );
  if (!screening && name !== 'native' && name !== 'cuda')
    throw new LazyscopeError(
      'bad_input',
      `Backend ${name} doesn't screen, so there is nothing to leave out: choose native or cuda.`,
    );
  const backend = Object.hasOwn(backends, name) ? backends[name] : undefined;
  if (!backend)
    throw new LazyscopeError(
      'bad_input',
      `Backend ${name} does not exist: choose one of ${backendChoices.join(', ')}.`,
    );
  return { name, ...(await backend.start(options)), reason };
}

/** What works here, for `lazyscope doctor`. */
export async function probeBackends(): Promise<BackendProbe[]> {
  const probes: BackendProbe[] = [];
  for (const name of backendNames) probes.push(await backends[name].probe());
  return probes;
}
