/**
 * The header's functions as JavaScript functions. koffi passes the memory of whatever typed array it is given, fills
 * members that a struct lacks with zeros, and cuts numbers to size; so every argument is looked at before: an array of
 * other elements than the header says, a missing member or a number that isn't whole where it must be is a TypeError
 * that names it, not damage somewhere else.
 */
import koffi from 'koffi';
import type { Element, Header, HeaderFunction, HeaderType, Named } from './header.ts';
import { scriptName } from './header.ts';
import type { NativeFunctions } from './nativeFunctions.ts';

type KoffiType = ReturnType<typeof koffi.struct>;
type Call = (...values: unknown[]) => unknown;
/** Returns what is wrong with the value, as the rest of a sentence; null if nothing is. */
type Check = (value: unknown) => string | null;

/** Binds every function of the header; throws if the library lacks one. */
export function bindFunctions(library: ReturnType<typeof koffi.load>, header: Header): NativeFunctions {
  const layouts = new Map<string, KoffiType>();
  const koffiType = (type: HeaderType): KoffiType => {
    if (type.kind === 'number') return koffi.type(type.type);
    if (type.kind === 'pointer') return koffi.pointer(koffi.type(type.to));
    const layout = layouts.get(type.kind === 'struct' ? type.type : type.to) as KoffiType;
    return type.kind === 'struct' ? layout : koffi.pointer(layout);
  };
  const checks = new Map<string, Check>();
  for (const [name, members] of header.structs) {
    const fields = members.map((member) => [scriptName(member.name), koffiType(member.type)] as const);
    layouts.set(name, koffi.struct(Object.fromEntries(fields)));
    checks.set(name, structCheck(members, checks));
  }
  const bound = [...header.functions.values()].map((declared) => {
    const types = declared.parameters.map(({ type }) => koffiType(type));
    const call = library.func(declared.name, declared.result, types) as Call;
    return [scriptName(declared.name), checked(declared, call, checks)] as const;
  });
  return Object.fromEntries(bound) as unknown as NativeFunctions;
}

function checked(
  { name, parameters }: HeaderFunction,
  call: Call,
  structs: ReadonlyMap<string, Check>,
): Call {
  const tests = parameters.map(({ type }) => checkOf(type, structs));
  return (...values) => {
    if (values.length !== tests.length)
      throw new TypeError(`${name} takes ${tests.length} arguments but got ${values.length}.`);
    for (let i = 0; i < tests.length; i++) {
      const wrong = tests[i](values[i]);
      if (wrong !== null) throw new TypeError(`${name}: ${scriptName(parameters[i].name)}${wrong}.`);
    }
    return call(...values);
  };
}

function structCheck(members: readonly Named[], structs: ReadonlyMap<string, Check>): Check {
  const tests = members.map(({ name, type }) => [scriptName(name), checkOf(type, structs)] as const);
  return (value) => {
    if (typeof value !== 'object' || value === null) return ` must be an object but is ${what(value)}`;
    for (const [name, test] of tests) {
      const wrong = test((value as Record<string, unknown>)[name]);
      if (wrong !== null) return `.${name}${wrong}`;
    }
    return null;
  };
}

const arrays: Record<Exclude<Element, 'void'>, abstract new (...values: never[]) => object> = {
  int32_t: Int32Array,
  int64_t: BigInt64Array,
  float: Float32Array,
  double: Float64Array,
  uint8_t: Uint8Array,
};

function checkOf(type: HeaderType, structs: ReadonlyMap<string, Check>): Check {
  if (type.kind === 'struct') return structs.get(type.type) as Check;
  if (type.kind === 'number') {
    if (type.type === 'float' || type.type === 'double')
      return (value) => (typeof value === 'number' ? null : ` must be a number but is ${what(value)}`);
    if (type.type === 'int64_t')
      return (value) =>
        Number.isSafeInteger(value) ? null : ` must be a whole number but is ${what(value)}`;
    return (value) =>
      typeof value === 'number' && (value | 0) === value
        ? null
        : ` must be a 32-bit integer but is ${what(value)}`;
  }
  const test = type.kind === 'structPointer' ? (structs.get(type.to) as Check) : arrayCheck(type.to);
  return type.nullable ? (value) => (value === null ? null : test(value)) : test;
}

function arrayCheck(to: Element): Check {
  if (to === 'void')
    return (value) => (ArrayBuffer.isView(value) ? null : ` must be a typed array but is ${what(value)}`);
  const array = arrays[to];
  return (value) => (value instanceof array ? null : ` must be ${array.name} but is ${what(value)}`);
}

function what(value: unknown): string {
  if (typeof value === 'object' && value !== null) return value.constructor?.name ?? 'an object';
  return String(value);
}
