/** How this backend binds C functions that answer with a status: handles and addresses travel as JavaScript numbers. */
import koffi from 'koffi';
import type { Library } from './libraries.ts';

type ParameterType =
  'int' | 'uint' | 'uint64' | 'int64' | 'str' | 'void*' | ReturnType<typeof out | typeof listOf>;

/** A function that answers with a status, 0 for success. */
export type StatusFunction = (...args: unknown[]) => number;

/** A place for one result: the caller passes an array of one element. */
export function out(type: string): ReturnType<typeof koffi.out> {
  return koffi.out(koffi.pointer(type));
}

export function inout(type: string): ReturnType<typeof koffi.inout> {
  return koffi.inout(koffi.pointer(type));
}

export function listOf(type: string) {
  return koffi.pointer(type);
}

/** Binds functions of `library` by name. */
export function binder(library: Library) {
  return (name: string, ...parameters: ParameterType[]): StatusFunction =>
    library.func(name, 'int', parameters);
}
