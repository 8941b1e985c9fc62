/**
 * What a backend of the product is: a name the user may ask for, a way to start it as TF.js's backend,
 * and a way to find out whether it would start without starting it. One folder a backend; each exports
 * one `Backend`. `startBackend.ts` chooses among them.
 */
export const backendNames = ['native', 'cuda', 'webgpu', 'wasm', 'tensorflow', 'cpu'] as const;
export type BackendName = (typeof backendNames)[number];

/** How encoders with thresholds keep what fires. */
export type EncoderPath = 'auto' | 'sparse' | 'dense';

/** Of what a training step reads many times. */
export type StorageFormat = 'f32' | 'f16' | 'bf16';

/** Of the factors of a product. */
export type ProductFormat = 'f32' | 'tf32';

/** Settings of backends; each says which backend it belongs to. */
export interface BackendOptions {
  /** Threads for backends that have them; the machine's available cores by default. */
  threads?: number;
  /** Encoders may look for candidates first, on `native` in integers, which changes no bit of the result, and on `cuda` in bfloat16, which changes the order of sums. On by default. */
  screening?: boolean;
  /** `native`, `webgpu`, `cuda`: `auto` (the default) estimates which is faster for each batch. */
  path?: EncoderPath;
  /**
   * `webgpu` (f16) and `cuda` (bf16): how a training step finds in memory what it reads many times (both matrices, the
   * batch, the errors); sums are made in 32 bits, and parameters and moments stay in them. `f32` by default.
   */
  storage?: StorageFormat;
  /**
   * `cuda`: how the products of TF.js (those of language models) are computed. `tf32` rounds their factors to 10 bits of mantissa, for
   * tensor cores; sums are made in 32 bits. `f32` by default. The kernels of autoencoders do not look at it.
   */
  products?: ProductFormat;
  /** `cuda`: training steps may be captured as graphs and launched as a whole, which changes no bit of the result. On by default. */
  graphs?: boolean;
  /** `cuda`: the GPUs that seeds or runs are spread over, by the numbers that nvidia-smi gives them. The one that LAZYSCOPE_CUDA_DEVICE names, otherwise the first, when left out. */
  devices?: readonly number[] | 'all';
  /**
   * `cuda`: that this is one of several processes that spread a dictionary over their devices, which of those on this machine, from 0, and how many there
   * are. Each takes one device.
   */
  process?: { readonly index: number; readonly count: number };
  /** `cuda`, `webgpu`: refuse a device that is only software. Off by default. */
  hardwareOnly?: boolean;
}

export interface Started {
  threads: number;
  /** What it runs on, for people: compiler, vector width, version. */
  detail: string;
  /** Where it isn't f32. */
  storage?: Exclude<StorageFormat, 'f32'>;
  /** Where they aren't f32. */
  products?: Exclude<ProductFormat, 'f32'>;
}

/** Whether a backend would start on this machine. */
export interface BackendProbe {
  name: BackendName;
  works: boolean;
  /** What it would run on, or why it does not work. */
  detail: string;
  /** What to do about it, when it does not work. */
  remedy?: string;
}

export interface Backend {
  readonly name: BackendName;
  /** Makes it TF.js's current backend. Throws LazyscopeError 'unavailable' when this machine can't. */
  start(options: BackendOptions): Promise<Started>;
  /** Never throws; may compile (native) or load a library. Does not change TF.js's current backend. */
  probe(): Promise<BackendProbe>;
}
