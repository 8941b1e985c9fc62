/** Spares TF.js's kernels the work that it does for every dispatch: a buffer for its uniforms, and a group of bindings. */
import type { BindGroups } from './bindGroups.ts';
import { numberKey } from './numberKey.ts';

/** The members that are used here. */
export interface TfjsProgram {
  readonly pipeline: GPUComputePipeline;
}

export interface TfjsUniform {
  readonly type: string;
  readonly data: readonly number[];
}

export interface TfjsUniforms {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** Most buffers of uniforms that are kept. */
const most = 512;

export class TfjsDispatches {
  /** Uniforms by their types and values. */
  readonly #uniforms = new Map<string, TfjsUniforms>();
  /** That of the kernel that is being recorded. */
  #pipeline: GPUComputePipeline | null = null;

  /** TF.js asks the device for a group at every dispatch; from now on, the device gives those of `groups`. */
  constructor(device: GPUDevice, groups: BindGroups) {
    const { createBindGroup } = device;
    device.createBindGroup = (descriptor) => {
      const make = () => createBindGroup.call(device, descriptor);
      if (!this.#pipeline) return make();
      const buffers = [...descriptor.entries].map(({ resource }) => (resource as GPUBufferBinding).buffer);
      // Textures are not kept.
      return buffers.every(Boolean) ? groups.of(this.#pipeline, buffers, make) : make();
    };
  }

  /** Calls `run`, in which TF.js records this program. */
  recording({ pipeline }: TfjsProgram, run: () => void): void {
    this.#pipeline = pipeline;
    try {
      run();
    } finally {
      this.#pipeline = null;
    }
  }

  /**
   * A buffer with these values, which `make` makes where there is none. Where there are too many, `giveBack` gets them all, and has to see to it that nothing recorded reads
   * them any more.
   */
  uniforms(
    values: readonly TfjsUniform[],
    make: () => TfjsUniforms,
    giveBack: (buffers: readonly GPUBuffer[]) => void,
  ): TfjsUniforms {
    const key = values.map(({ type, data }) => `${type} ${data.map(numberKey).join()}`).join(';');
    const known = this.#uniforms.get(key);
    if (known) return known;
    if (this.#uniforms.size === most) {
      giveBack([...this.#uniforms.values()].map(({ buffer }) => buffer));
      this.#uniforms.clear();
    }
    const made = make();
    this.#uniforms.set(key, made);
    return made;
  }
}
