/**
 * The parameters of the kernels in a .cu file, read from the file itself: there is no second list that could differ from it.
 */
export type ParameterType =
  'pointer' | 'int' | 'unsigned' | 'long long' | 'unsigned long long' | 'float' | 'double';

export interface Parameter {
  readonly name: string;
  readonly type: ParameterType;
}

const kernel =
  /extern\s+"C"\s+__global__\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(([^)]*)\)/g;

const types: Readonly<Record<string, ParameterType>> = {
  int: 'int',
  int32_t: 'int',
  unsigned: 'unsigned',
  'unsigned int': 'unsigned',
  uint32_t: 'unsigned',
  'long long': 'long long',
  int64_t: 'long long',
  'unsigned long long': 'unsigned long long',
  uint64_t: 'unsigned long long',
  float: 'float',
  double: 'double',
};

/** The kernels that `source` defines, by name. Throws for a parameter of a type that can't be passed, and for a name that comes twice. */
export function kernelSignatures(file: string, source: string): Map<string, readonly Parameter[]> {
  const found = new Map<string, readonly Parameter[]>();
  const code = withoutComments(source);
  for (const [, name, parameters] of code.matchAll(kernel)) {
    if (found.has(name)) throw new Error(`${file} defines kernel ${name} twice.`);
    const list = parameters
      .split(',')
      .map((parameter) => parameter.trim())
      .filter((parameter) => parameter !== '' && parameter !== 'void');
    found.set(
      name,
      list.map((parameter) => parsed(parameter, `${file}, kernel ${name}`)),
    );
  }
  return found;
}

/** The files of our own that a source includes. */
export function includedFiles(source: string): string[] {
  return [...withoutComments(source).matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)].map(([, file]) => file);
}

function parsed(parameter: string, where: string): Parameter {
  const [, before, name] = /^(.*?)(\w+)$/s.exec(parameter) ?? [];
  if (!name) throw new Error(`${where}: ${parameter} is not a parameter with a name.`);
  if (before.includes('*')) return { name, type: 'pointer' };
  const words = before.split(/\s+/).filter((word) => word !== '' && word !== 'const');
  const type = types[words.join(' ')];
  if (!type) throw new Error(`${where}: a parameter of type ${words.join(' ')} can't be passed.`);
  return { name, type };
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, ' ').replace(/\/\/[^\n]*/g, '');
}
