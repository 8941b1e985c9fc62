import { type Element, type Header, type HeaderType, type NumberType, scriptName } from './header.ts';

const arrays: Record<Element, string> = {
  int32_t: 'Int32Array',
  int64_t: 'BigInt64Array',
  float: 'Float32Array',
  double: 'Float64Array',
  uint8_t: 'Uint8Array',
  void: 'Values',
};

/** The TypeScript types of what the header declares: the text of nativeFunctions.ts, before Prettier. */
export function describeFunctions({ structs, functions }: Header): string {
  const lines = [
    '/**',
    ' * The types of the functions that source/lazyscope.h declares. Generated: change that file, then run',
    ' * `npx tsx scripts/writeNativeTypes.ts`. A test compares the two.',
    ' */',
    "import type { Values, Writable } from './pointers.ts';",
    '',
  ];
  for (const [name, members] of structs)
    lines.push(
      `export interface ${scriptName(name)} {`,
      ...members.map((member) => `  ${scriptName(member.name)}: ${scriptType(member.type)};`),
      '}',
      '',
    );
  lines.push('export interface NativeFunctions {');
  for (const { name, result, parameters } of functions.values()) {
    const list = parameters.map(
      (parameter) => `${scriptName(parameter.name)}: ${scriptType(parameter.type)}`,
    );
    lines.push(`  ${scriptName(name)}(${list.join(', ')}): ${resultType(result)};`);
  }
  lines.push('}', '');
  return lines.join('\n');
}

const resultType = (type: NumberType | 'void') => (type === 'void' ? 'void' : 'number');

function scriptType(type: HeaderType): string {
  if (type.kind === 'number') return 'number';
  if (type.kind === 'struct') return scriptName(type.type);
  const array = type.kind === 'structPointer' ? scriptName(type.to) : arrays[type.to];
  const plain = type.kind === 'pointer' && type.written ? `Writable<${array}>` : array;
  return type.nullable ? `${plain} | null` : plain;
}
