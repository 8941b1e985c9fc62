/**
 * A .cu file as C++ that the system's compiler takes, after source/executionModel.h. Only two things of CUDA's language can't
 * be said by macros, and are rewritten here, line by line so that messages keep their places: declarations of shared
 * memory, and the linkage of kernels, whose C names may be taken by the C library.
 */
import { LazyscopeError } from '../../../errors.ts';
import type { KernelSource } from '../kernelSource.ts';

/** The files to compile, by the names that they have. */
export function moduleSource({ file, text, headers, kernels }: KernelSource): Map<string, string> {
  const bounds = launchBounds([text, ...headers.values()].join('\n'));
  const entries = [...kernels.keys()].map(
    (name) => `lazyscope::Trampoline<${name}>::entry("${name}", ${bounds.get(name) ?? 1024}),`,
  );
  const main = [
    '#include "executionModel.h"',
    `#line 1 "${file}"`,
    rewritten(file, text),
    '#line 1 "kernels of the module"',
    '#define LAZYSCOPE_EXPORTED extern "C" __attribute__((visibility("default"), used))',
    // The last entry has no name: a list may not be empty.
    `LAZYSCOPE_EXPORTED const LazyscopeKernel lazyscopeKernels[] = {${entries.join('\n')} {}};`,
    `LAZYSCOPE_EXPORTED const unsigned lazyscopeKernelCount = ${entries.length};`,
    '',
  ].join('\n');
  return new Map([
    [file, main],
    ...[...headers].map(([name, header]): [string, string] => [name, rewritten(name, header)]),
  ]);
}

/** What __launch_bounds__ says of each kernel that has it. */
function launchBounds(text: string): Map<string, string> {
  const bounded = /__launch_bounds__\s*\(((?:[^()]|\([^()]*\))*)\)\s*(?:void\s+)?(\w+)\s*\(/g;
  return new Map([...withoutComments(text).matchAll(bounded)].map(([, bounds, name]) => [name, bounds]));
}

function rewritten(file: string, text: string): string {
  const code = withoutComments(text);
  let slots = 0;
  return code
    .replace(/extern(\s+)"C"(\s+)__global__/g, 'static$1$2')
    .replace(
      /(\bextern\s+)?\b__shared__\s+([^;{}()=]*?(?:\([^;{}()]*\)[^;{}()=]*?)?);/g,
      (whole, external, declared) => {
        const { type, declarators } = declaration(file, declared);
        const lines = '\n'.repeat(whole.split('\n').length - 1);
        const parts = declarators.map(({ name, dimensions }) => {
          if (external) return `${type} *const ${name} = (${type} *)lazyscopeDynamicShared();`;
          const owner = `LazyscopeShared${slots++}_${name}`;
          return (
            `struct ${owner} {}; using ${owner}Type = ${type}${dimensions}; ` +
            `${owner}Type &${name} = lazyscope::shared<${owner}Type, ${owner}>();`
          );
        });
        return parts.join(' ') + lines;
      },
    );
}

interface Declarator {
  readonly name: string;
  /** `[4][5]`, or nothing for a single value. */
  readonly dimensions: string;
}

/** Reads `float tile[4][5], sum`, with or without an alignment, which the device's memory has anyway. */
function declaration(file: string, declared: string): { type: string; declarators: Declarator[] } {
  const plain = declared
    .replace(/\b(?:alignas|__align__)\s*\([^)]*\)/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const [first, ...others] = plain.split(/,(?![^<[]*[>\]])/).map((part) => part.trim());
  const [, type, name, dimensions] = /^(.*[\s*&>])(\w+)\s*((?:\[[^\]]*\]\s*)*)$/.exec(first) ?? [];
  if (!name)
    throw new LazyscopeError(
      'bad_input',
      `${file}: __shared__ ${plain} is not a declaration that the software device reads.`,
    );
  const more = others.map((other): Declarator => {
    const [, otherName, otherDimensions] = /^(\w+)\s*((?:\[[^\]]*\]\s*)*)$/.exec(other) ?? [];
    if (!otherName)
      throw new LazyscopeError(
        'bad_input',
        `${file}: __shared__ … ${other} is not a declaration that the software device reads.`,
      );
    return { name: otherName, dimensions: otherDimensions };
  });
  return { type: type.trim(), declarators: [{ name, dimensions }, ...more] };
}

/** Comments become blanks, so that nothing in them is taken for code; line ends stay. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/\/\/[^\n]*/g, '');
}
