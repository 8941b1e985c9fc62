/** Options as commands take them: parsed where they are given, refused with the option's name. */
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';

/** What every command takes. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('--json', 'print one JSON document on standard output')
    .option('--data <folder>', 'the data folder', 'data')
    .option('--backend <name>', 'auto, native, webgpu, wasm, tensorflow or cpu', 'auto')
    .option('--threads <n>', "threads of the backend; all of the machine's when left out", positiveInteger);
}

/** For commands that train. */
export function withScreeningOption(command: Command): Command {
  return command.option(
    '--no-screening',
    'native: compute every pre-activation in floats, rather than only those that a product of integers leaves possible; the result is the same to the bit',
  );
}

/** For commands that train. */
export function withStorageOption(command: Command): Command {
  return command.option(
    '--storage <format>',
    'webgpu: f16 halves the bytes of what a training step reads many times (both matrices, batch, errors), from copies rounded to 11 bits, where the GPU has shader-f16; parameters, optimiser, sums, checkpoints and steps without lists stay in f32',
    oneOf(['f32', 'f16']),
    'f32' as const,
  );
}

export function positiveInteger(text: string): number {
  const value = wholeNumber(text);
  if (value < 1) throw new InvalidArgumentError('It must be a whole number above 0.');
  return value;
}

export function wholeNumber(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('It must be a whole number.');
  return value;
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

export function nonNegativeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('It must be a number, 0 or more.');
  return value;
}

/** `800MB`, `2GB`, in powers of ten; a bare number is bytes. */
export function byteSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(k|M|G|T)?B?$/i.exec(text.trim());
  const exponent = { '': 0, k: 3, m: 6, g: 9, t: 12 }[match?.[2]?.toLowerCase() ?? ''] ?? 0;
  const value = Number(match?.[1]) * 10 ** exponent;
  if (!(value > 0)) throw new InvalidArgumentError('It must be a size, for example 800MB or 2GB.');
  return value;
}

export function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError('It must be between 0 and 1.');
  return value;
}

/** `0,1,2` or `0-4`. */
export function seedList(text: string): number[] {
  const seeds = text.split(',').flatMap((part) => {
    const range = /^(\d+)-(\d+)$/.exec(part.trim());
    if (!range) return [wholeNumber(part)];
    const [first, last] = [Number(range[1]), Number(range[2])];
    if (last < first || last - first > 1000) throw new InvalidArgumentError('The range is not one.');
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  if (new Set(seeds).size !== seeds.length) throw new InvalidArgumentError('A seed is named twice.');
  return seeds;
}

/** For options that may be given several times. */
export function repeated(value: string, before: string[] = []): string[] {
  return [...before, value];
}

export function oneOf<const Choices extends readonly string[]>(
  choices: Choices,
): (text: string) => Choices[number] {
  return (text) => {
    const found = choices.find((choice) => choice === text);
    if (found === undefined) throw new InvalidArgumentError(`Choose one of ${choices.join(', ')}.`);
    return found;
  };
}
