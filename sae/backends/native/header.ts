/**
 * Parses source/lazyscope.h, the one declaration of what the native library exports.
 *
 * It is parsed when the library is loaded rather than turned into tables by a build, because the library itself is
 * compiled on first use from the same folder: there is no build that could be forgotten, and koffi can't be told
 * anything else than the compiler was. The grammar is a small part of C; whatever is not in it is refused.
 */

/** Elements that a pointer may lead to; `void` where another argument says which. */
const elements = ['int32_t', 'int64_t', 'float', 'double', 'uint8_t', 'void'] as const;
const numbers = ['int32_t', 'int64_t', 'float', 'double'] as const;
export type Element = (typeof elements)[number];
export type NumberType = (typeof numbers)[number];

export type HeaderType =
  | { readonly kind: 'number'; readonly type: NumberType }
  /** `written`: not a pointer to const. */
  | { readonly kind: 'pointer'; readonly to: Element; readonly written: boolean; readonly nullable: boolean }
  | { readonly kind: 'structPointer'; readonly to: string; readonly nullable: boolean }
  | { readonly kind: 'struct'; readonly type: string };

export interface Named {
  readonly name: string;
  readonly type: HeaderType;
}

export interface HeaderFunction {
  readonly name: string;
  readonly result: NumberType | 'void';
  readonly parameters: readonly Named[];
}

export interface Header {
  /** The members by the struct's name, in the order of declaration: a struct comes after those that it contains. */
  readonly structs: ReadonlyMap<string, readonly Named[]>;
  readonly functions: ReadonlyMap<string, HeaderFunction>;
}

/** More arguments than this are hard to keep in order: the header must give them names, in a struct. */
const mostParameters = 8;

const allowedLines = /^(#pragma once|#include <cstdint>|#define NULLABLE)$/;

/** Throws an Error that quotes what it does not understand. */
export function parseHeader(text: string): Header {
  const lines = text.split('\n').map((line) => line.replace(/\/\/.*$/, '').trim());
  const code = lines.filter((line) => line !== '' && !allowedLines.test(line)).join(' ');
  const inside = /^extern "C" \{(.*)\}$/.exec(code)?.[1];
  if (inside === undefined)
    throw refusal('its declarations are not all within one extern "C" { … }', code.slice(0, 60));

  const structs = new Map<string, readonly Named[]>();
  const functions = new Map<string, HeaderFunction>();
  const declaration = /\s*(?:struct (\w+) \{([^{}]*)\};|(\w+) (\w+)\(([^(){};]*)\);)/y;
  for (let at = 0; inside.slice(at).trim() !== ''; at = declaration.lastIndex) {
    declaration.lastIndex = at;
    const found = declaration.exec(inside);
    if (!found)
      throw refusal('this is neither a struct nor a function', inside.slice(at).trim().slice(0, 60));
    const [, struct, members, result, name, parameters] = found;
    if (struct !== undefined) {
      if (structs.has(struct)) throw refusal('this struct is declared twice', struct);
      structs.set(struct, named(struct, members.split(';').slice(0, -1), structs));
      continue;
    }
    if (functions.has(name)) throw refusal('this function is declared twice', name);
    if (result !== 'void' && !isNumber(result)) throw refusal(`${name} returns an unknown type`, result);
    const list = named(name, parameters.trim() === '' ? [] : parameters.split(','), structs);
    if (list.length > mostParameters)
      throw refusal(`more than ${mostParameters} arguments must be a struct`, name);
    if (list.some(({ type }) => type.kind === 'struct')) throw refusal('a struct is passed by pointer', name);
    functions.set(name, { name, result, parameters: list });
  }
  return { structs, functions };
}

function named(owner: string, texts: readonly string[], structs: ReadonlyMap<string, unknown>): Named[] {
  const list = texts.map((text) => {
    const parts = /^(const )?(\w+)(\*)?( NULLABLE)? ([a-z]\w*)$/.exec(text.trim());
    if (!parts) throw refusal(`${owner} has something of a form that is not known`, text.trim());
    const [, readOnly, base, star, nullable, name] = parts;
    const type = typeOf(
      base,
      { pointer: star !== undefined, readOnly: readOnly !== undefined, nullable: nullable !== undefined },
      structs,
    );
    if (!type) throw refusal(`${owner} has something of an unknown type`, text.trim());
    return { name, type };
  });
  const twice = list.find(({ name }, i) => list.findIndex((other) => other.name === name) !== i);
  if (twice) throw refusal(`${owner} has this name twice`, twice.name);
  return list;
}

function typeOf(
  base: string,
  { pointer, readOnly, nullable }: { pointer: boolean; readOnly: boolean; nullable: boolean },
  structs: ReadonlyMap<string, unknown>,
): HeaderType | null {
  if (!pointer) {
    if (readOnly || nullable) return null;
    if (isNumber(base)) return { kind: 'number', type: base };
    return structs.has(base) ? { kind: 'struct', type: base } : null;
  }
  if (isElement(base)) return { kind: 'pointer', to: base, written: !readOnly, nullable };
  // A struct holds arguments; results come back in memory that its pointers lead to.
  return structs.has(base) && readOnly ? { kind: 'structPointer', to: base, nullable } : null;
}

const isNumber = (name: string): name is NumberType => numbers.some((known) => known === name);
const isElement = (name: string): name is Element => elements.some((known) => known === name);

/** `aux_scale` → `auxScale`, `lazyscope_rms_norm` → `rmsNorm`, `LazyscopeGemm` → `Gemm`. */
export function scriptName(name: string): string {
  return name
    .replace(/^lazyscope_|^Lazyscope/, '')
    .replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function refusal(why: string, what: string): Error {
  return new Error(`lazyscope.h: ${why}: '${what}'.`);
}
