/** Commands, or groups of them, that work on a folder of this disk alone, and why; what can't be done on a store that lies elsewhere is refused by name. */
import type { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import { isAddress, isBucketAddress } from '../../sae/store/remote/address.ts';

const foldersOnly: Readonly<Record<string, string>> = {
  plan: 'the scripts that it prints are for machines that share a folder',
  publish: 'it takes the files of a site from a folder',
  jobs: 'it asks the server of a folder',
  demo: 'it makes a store of its own',
  'store index': 'a store in a bucket needs no listing',
  'store fetch': 'it copies into a folder',
  'store upload': 'it copies from a folder',
};

/** Throws 'bad_input' where `--data` is an address that this command can do nothing with. */
export function refuseAddress(command: Command, data: string | undefined): void {
  if (data === undefined || !isAddress(data)) return;
  const words = wordsOf(command);
  const name = words.join(' ');
  if (name === 'serve') return;
  const fetching = `copy the store with 'lazyscope store fetch ${data} --data FOLDER', and give that folder`;
  if (!isBucketAddress(data))
    throw new LazyscopeError(
      'bad_input',
      `'lazyscope ${name}' takes a folder as --data: ${fetching.replace('the store', 'the published store')}.`,
    );
  const why = foldersOnly[name] ?? foldersOnly[words[0]];
  if (why !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `'lazyscope ${name}' takes a folder as --data, because ${why}: ${fetching}.`,
    );
  const flags = command.opts<Record<string, unknown>>();
  if (flags['launcher'] !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `--launcher takes a folder as --data, because the tasks of Slurm leave their logs and results in one that they share: give --queue in its place, or ${fetching}.`,
    );
}

/** The words after `lazyscope` that call a command. */
function wordsOf(command: Command): string[] {
  return command.parent ? [...wordsOf(command.parent), command.name()] : [];
}
