/** Options as commands take them: parsed where they are given, refused with the option's name. */
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { graphs, screening, storage } from '../../sae/spec/jobs/sharedOptions.ts';
import { bytesOf, sizeRule } from '../../sae/spec/sizes.ts';
import { commanderOption, reading } from './commanderOption.ts';

/** What every command that computes takes. */
export function withCommonOptions(command: Command): Command {
  return withStoreOptions(command)
    .option('--backend <name>', 'auto, native, cuda, webgpu, wasm, tensorflow or cpu', 'auto')
    .option('--threads <n>', "threads of the backend; all of the machine's when left out", positiveInteger);
}

/** For commands that compute nothing: a flag that would have no effect is refused instead. */
export function withStoreOptions(command: Command): Command {
  return withOutputOption(command).option('--data <folder>', 'the data folder', 'data');
}

/** For commands that have no store either. */
export function withOutputOption(command: Command): Command {
  return command.option('--json', 'print one JSON document on standard output');
}

/** For commands that train. */
export function withScreeningOption(command: Command): Command {
  return command.addOption(commanderOption('screening', screening));
}

/** For commands that train. */
export function withGraphsOption(command: Command): Command {
  return command.addOption(commanderOption('graphs', graphs));
}

/** For commands that train. */
export function withStorageOption(command: Command): Command {
  return command.addOption(commanderOption('storage', storage));
}

const doc = '';
export const positiveInteger = reading({ type: 'integer', min: 1, doc });
export const wholeNumber = reading({ type: 'integer', min: 0, doc });
export const positiveNumber = reading({ type: 'number', min: 0, above: true, doc });
export const nonNegativeNumber = reading({ type: 'number', min: 0, doc });
export const fraction = reading({ type: 'number', min: 0, max: 1, doc });
/** Parses seeds, written `0,1,2` or `0-4`. */
export const seedList = reading({ type: 'integers', min: 0, maxItems: 1000, doc });

/** Parses sizes such as `800MB` or `2GB`, in powers of ten; a bare number is bytes. */
export function byteSize(text: string): number {
  const bytes = bytesOf(text.trim());
  if (Number.isNaN(bytes)) throw new InvalidArgumentError(`It ${sizeRule}.`);
  return bytes;
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
