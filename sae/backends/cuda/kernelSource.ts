/** The .cu files under source/, each with what it includes and the kernels it defines. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { includedFiles, kernelSignatures, type Parameter } from './signatures.ts';

export const sourceFolder = join(dirname(fileURLToPath(import.meta.url)), 'source');

export interface KernelSource {
  /** The file's name. */
  readonly file: string;
  readonly text: string;
  /** Every file that it includes, by name, also those that these include. */
  readonly headers: ReadonlyMap<string, string>;
  /** The kernels of the file and of what it includes. */
  readonly kernels: ReadonlyMap<string, readonly Parameter[]>;
}

export function readKernelSource(file: string, folder = sourceFolder): KernelSource {
  const text = readFileSync(join(folder, file), 'utf8');
  const headers = new Map<string, string>();
  const include = (source: string) => {
    for (const name of includedFiles(source)) {
      if (headers.has(name)) continue;
      const header = readFileSync(join(folder, name), 'utf8');
      headers.set(name, header);
      include(header);
    }
  };
  include(text);
  return { file, text, headers, kernels: kernelSignatures(file, [...headers.values(), text].join('\n')) };
}
