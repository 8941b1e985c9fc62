/**
 * The functions of NVIDIA's driver API that this backend calls, through koffi. Handles and device addresses are JavaScript
 * numbers: they lie below 2^53, and koffi converts numbers several times faster than bigints.
 *
 * `call` checks a function's result; the functions that run many times a step are bound as they are, and their callers
 * check (`check`), because a launch should cost a few microseconds.
 */
import { LazyscopeError } from '../../errors.ts';
import { binder, inout, out } from './binding.ts';
import { driverError, isLost } from './driverErrors.ts';
import type { Library } from './libraries.ts';

/** A driver older than this lacks what the kernels' format needs (CUDA 12.0). */
const oldestDriver = 12_000;

const number = 'uint64';
function bind(library: Library) {
  const f = binder(library);
  return {
    cuInit: f('cuInit', 'uint'),
    cuDriverGetVersion: f('cuDriverGetVersion', out('int')),
    cuGetErrorName: f('cuGetErrorName', 'int', out('str')),
    cuGetErrorString: f('cuGetErrorString', 'int', out('str')),
    cuDeviceGetCount: f('cuDeviceGetCount', out('int')),
    cuDeviceGet: f('cuDeviceGet', out('int'), 'int'),
    cuDeviceGetName: f('cuDeviceGetName', 'void*', 'int', 'int'),
    cuDeviceGetUuid: f('cuDeviceGetUuid_v2', 'void*', 'int'),
    cuDeviceGetAttribute: f('cuDeviceGetAttribute', out('int'), 'int', 'int'),
    cuDeviceTotalMem: f('cuDeviceTotalMem_v2', out(number), 'int'),
    cuDevicePrimaryCtxRetain: f('cuDevicePrimaryCtxRetain', out(number), 'int'),
    cuCtxSetCurrent: f('cuCtxSetCurrent', number),
    cuCtxSynchronize: f('cuCtxSynchronize'),
    cuMemGetInfo: f('cuMemGetInfo_v2', out(number), out(number)),
    cuMemAlloc: f('cuMemAlloc_v2', out(number), number),
    cuMemFree: f('cuMemFree_v2', number),
    cuMemHostAlloc: f('cuMemHostAlloc', out(number), number, 'uint'),
    cuMemFreeHost: f('cuMemFreeHost', number),
    cuMemcpyHtoDAsync: f('cuMemcpyHtoDAsync_v2', number, number, number, number),
    cuMemcpyDtoHAsync: f('cuMemcpyDtoHAsync_v2', number, number, number, number),
    cuMemcpyDtoDAsync: f('cuMemcpyDtoDAsync_v2', number, number, number, number),
    cuMemsetD32Async: f('cuMemsetD32Async', number, 'uint', number, number),
    cuStreamCreate: f('cuStreamCreate', out(number), 'uint'),
    cuStreamSynchronize: f('cuStreamSynchronize', number),
    cuStreamWaitEvent: f('cuStreamWaitEvent', number, number, 'uint'),
    cuEventCreate: f('cuEventCreate', out(number), 'uint'),
    cuEventRecord: f('cuEventRecord', number, number),
    cuEventQuery: f('cuEventQuery', number),
    cuEventSynchronize: f('cuEventSynchronize', number),
    cuEventElapsedTime: f('cuEventElapsedTime', out('float'), number, number),
    cuEventDestroy: f('cuEventDestroy_v2', number),
    cuModuleLoadData: f('cuModuleLoadData', out(number), 'void*'),
    cuModuleGetFunction: f('cuModuleGetFunction', out(number), number, 'str'),
    cuFuncSetAttribute: f('cuFuncSetAttribute', number, 'int', 'int'),
    cuStreamBeginCapture: f('cuStreamBeginCapture_v2', number, 'int'),
    cuStreamEndCapture: f('cuStreamEndCapture', number, out(number)),
    cuGraphGetNodes: f('cuGraphGetNodes', number, number, inout(number)),
    cuGraphInstantiate: f('cuGraphInstantiateWithFlags', out(number), number, number),
    cuGraphLaunch: f('cuGraphLaunch', number, number),
    cuGraphExecDestroy: f('cuGraphExecDestroy', number),
    cuGraphDestroy: f('cuGraphDestroy', number),
    cuLaunchKernel: f('cuLaunchKernel', number, ...Array<'uint'>(7).fill('uint'), number, number, number),
  };
}

export type DriverFunctions = ReturnType<typeof bind>;

/** The context that is current, which is one for all drivers of the process. */
let current = 0;

export class Driver {
  readonly functions: DriverFunctions;
  /** 1000 · major + 10 · minor of the newest CUDA version that the driver supports. */
  readonly version: number;
  /** The device's name, for messages. */
  gpu = 'not opened yet';
  #fault: LazyscopeError | null = null;
  #context = 0;

  /** Throws `unavailable` where the driver does not answer, or is too old. */
  constructor(library: Library) {
    this.functions = bind(library);
    const started = this.functions.cuInit(0);
    if (started !== 0)
      throw new LazyscopeError(
        'unavailable',
        `Backend cuda finds a driver but no GPU that it can use (${this.errorName(started)}): look at nvidia-smi, or choose --backend native.`,
      );
    this.version = this.read('cuDriverGetVersion');
    if (this.version < oldestDriver)
      throw new LazyscopeError(
        'unavailable',
        `Backend cuda needs an NVIDIA driver for CUDA 12.0 or later, and this one is for ${versionName(this.version)}: update the driver, or choose --backend native.`,
      );
  }

  /** Calls from now on are about this context's device. */
  adopt(context: number): void {
    this.#context = context;
    current = 0;
    this.enter();
  }

  /** Makes the context current, which another device's may be. `call` does it; whoever calls a function as it is has to. */
  enter(): void {
    if (this.#context === current) return;
    const code = this.functions.cuCtxSetCurrent(this.#context);
    if (code !== 0) throw this.failed('cuCtxSetCurrent', code);
    current = this.#context;
  }

  /** Calls a function and throws where it does not answer success.  */
  call(name: keyof DriverFunctions, ...args: readonly unknown[]): void {
    if (this.#context !== 0) this.enter();
    const code = this.functions[name](...args);
    if (code !== 0) throw this.failed(name, code);
  }

  /** Calls a function whose first argument is a place for one number, and returns that. */
  read(name: keyof DriverFunctions, ...args: readonly unknown[]): number {
    const place = [0];
    this.call(name, place, ...args);
    return Number(place[0]);
  }

  /** Throws if the device was lost, whatever failed first. */
  check(): void {
    if (this.#fault) throw this.#fault;
  }

  /** The error to throw for a call that answered `code`. */
  failed(call: string, code: number): LazyscopeError {
    if (this.#fault) return this.#fault;
    const failure = { call, code, name: this.errorName(code), description: this.errorText(code) };
    const error = driverError(failure, this.gpu);
    if (isLost(code)) this.#fault = error;
    return error;
  }

  errorName(code: number): string {
    const name: [string | null] = [null];
    return this.functions.cuGetErrorName(code, name) === 0 && name[0] ? name[0] : `error ${code}`;
  }

  errorText(code: number): string {
    const text: [string | null] = [null];
    return this.functions.cuGetErrorString(code, text) === 0 && text[0] ? text[0] : 'unknown error';
  }
}

export function versionName(version: number): string {
  return `CUDA ${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}
