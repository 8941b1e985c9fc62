/**
 * The arguments of a launch, packed into memory as the kernel's signature says, so that no object is made for a launch. The
 * driver copies them while it is called, so one place serves all launches.
 */
import koffi from 'koffi';
import type { DeviceBuffer } from './deviceMemory.ts';
import type { Parameter, ParameterType } from './signatures.ts';

/** A pointer, or a number of the type that the kernel declares; null for a pointer to nothing. */
export type Argument = DeviceBuffer | bigint | number | null;

/** What CUDA allows for all arguments of a kernel. */
const mostBytes = 4096;

const values = new ArrayBuffer(mostBytes);
const view = new DataView(values);
const valuesAddress = Number(koffi.address(values));

const sizes: Readonly<Record<ParameterType, number>> = {
  pointer: 8,
  int: 4,
  unsigned: 4,
  'long long': 8,
  'unsigned long long': 8,
  float: 4,
  double: 8,
};

export class LaunchArguments {
  readonly #kernel: string;
  readonly #parameters: readonly Parameter[];
  readonly #offsets: readonly number[];
  /** One pointer a parameter, to its place in `values`. */
  readonly #pointers: BigUint64Array<ArrayBuffer>;
  /** `kernelParams` of cuLaunchKernel. */
  readonly address: number;

  constructor(kernel: string, parameters: readonly Parameter[]) {
    let at = 0;
    this.#kernel = kernel;
    this.#parameters = parameters;
    this.#offsets = parameters.map(({ type }) => {
      const size = sizes[type];
      const offset = Math.ceil(at / size) * size;
      at = offset + size;
      return offset;
    });
    if (at > mostBytes) throw new Error(`Kernel ${kernel} has more than ${mostBytes} bytes of parameters.`);
    this.#pointers = BigUint64Array.from([
      ...this.#offsets.map((offset) => BigInt(valuesAddress + offset)),
      0n,
    ]);
    this.address = Number(koffi.address(this.#pointers.buffer));
  }

  /** Throws where an argument is missing or is not of its parameter's type. */
  write(args: readonly Argument[]): void {
    const parameters = this.#parameters;
    if (args.length !== parameters.length)
      throw new Error(
        `Kernel ${this.#kernel} takes ${parameters.length} arguments (${parameters.map(({ name }) => name).join(', ')}) but was given ${args.length}.`,
      );
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      const { type } = parameters[i];
      const at = this.#offsets[i];
      if (type === 'pointer') {
        if (typeof arg === 'number') throw this.#wrong(i, arg);
        view.setBigUint64(at, arg === null ? 0n : typeof arg === 'bigint' ? arg : arg.address, true);
      } else if (typeof arg === 'bigint') {
        if (type === 'long long') view.setBigInt64(at, arg, true);
        else if (type === 'unsigned long long') view.setBigUint64(at, arg, true);
        else throw this.#wrong(i, arg);
      } else if (typeof arg !== 'number') throw this.#wrong(i, arg);
      else if (type === 'float') view.setFloat32(at, arg, true);
      else if (type === 'double') view.setFloat64(at, arg, true);
      else this.#writeInteger(i, arg);
    }
  }

  #writeInteger(i: number, arg: number): void {
    const { type } = this.#parameters[i];
    const at = this.#offsets[i];
    if (type === 'int') {
      if (arg !== (arg | 0)) throw this.#wrong(i, arg);
      view.setInt32(at, arg, true);
    } else if (type === 'unsigned') {
      if (arg !== arg >>> 0) throw this.#wrong(i, arg);
      view.setUint32(at, arg, true);
    } else {
      if (!Number.isSafeInteger(arg) || (arg < 0 && type === 'unsigned long long')) throw this.#wrong(i, arg);
      view.setBigInt64(at, BigInt(arg), true);
    }
  }

  #wrong(i: number, arg: Argument): Error {
    const { name, type } = this.#parameters[i];
    const given = typeof arg === 'object' ? (arg === null ? 'null' : 'a buffer') : String(arg);
    return new Error(`Kernel ${this.#kernel}: parameter ${name} is a ${type} but was given ${given}.`);
  }
}
