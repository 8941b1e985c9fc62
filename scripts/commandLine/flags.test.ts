/** A flag has an effect or is refused: none is accepted and dropped. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { languageModelTrainingSchema } from '../../sae/pretraining/languageModelTraining.ts';
import { commandWords, jobKinds } from '../../sae/spec/jobs/jobs.ts';
import { lazyscopeCommand } from '../cli.ts';
import { withCommonOptions } from './options.ts';

const scripts = join(import.meta.dirname, '..');

/** Commands that run, with the file of `scripts/commands` that does their work. */
function leaves(command: Command, path: string[] = []): { path: string[]; command: Command; file: string }[] {
  const own = command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
  if (command.commands.length > 0 && path.length === 0) return own;
  const kind = jobKinds.find((one) => commandWords(one).join(' ') === path.join(' '));
  const file = path[0] === 'model-process' ? 'modelProcess' : (kind ?? path[0]);
  // Groups such as `lm` have no work of their own.
  return command.commands.length > 0 && command.options.length === 0
    ? own
    : [...own, { path, command, file }];
}

/** The command's file and what it imports from beside it, as text. */
function sourceOf(file: string, seen = new Set<string>()): string {
  const path = join(scripts, file);
  if (seen.has(path) || !existsSync(path)) return '';
  seen.add(path);
  const text = readFileSync(path, 'utf8');
  const imported = [...text.matchAll(/from '(\.[^']+)'|import\('(\.[^']+)'\)/g)]
    .map(([, fixed, late]) => join(scripts, file, '..', fixed ?? late).slice(scripts.length + 1))
    .filter((name) => !name.startsWith('..') && !/commandLine\/(options|commanderOption)\.ts/.test(name));
  return [text, ...imported.map((name) => sourceOf(name, seen))].join('\n');
}

const commands = leaves(lazyscopeCommand());
const isJob = (name: string) => jobKinds.some((kind) => kind === name);
const commonFlags = withCommonOptions(lazyscopeCommand().createCommand('x')).options.map((option) =>
  option.attributeName(),
);

test('there are as many commands as the help names', () => {
  expect(commands.length).toBeGreaterThan(25);
  for (const { path, file } of commands) expect(sourceOf(`commands/${file}.ts`), path.join(' ')).not.toBe('');
});

describe.each(commands)('$path', ({ path, command, file }) => {
  const source = sourceOf(`commands/${file}.ts`);
  // What a command says of its own flags is not a use of them.
  const uses = source.replaceAll(/\.option\(\s*'[^']*'/g, '');

  test.each(command.options.map((option) => [option.long ?? option.short ?? '', option] as const))(
    '%s',
    (flag, option) => {
      const name = option.attributeName();
      if (name === 'json') return expect(uses).toContain('runCommand');
      if (name === 'data') return expect(uses).toMatch(/\bstore\b/);
      // A command that starts no backend doesn't take the flags of one: commander refuses them by name.
      if (name === 'backend' || name === 'threads')
        return expect(uses).toMatch(/startBackend|session\.options/);
      if (['screening', 'graphs', 'devices', 'storage', 'products'].includes(name))
        return expect(uses).toMatch(/startBackend/);
      // The settings of a run are passed on together, by the names that their description has.
      if (isJob(path[0]) && file === 'train' && uses.includes('isSetting(name)')) return;
      const { shape } = languageModelTrainingSchema;
      if (file === 'lmTrain' && uses.includes('languageModelTrainingSchema.shape') && name in shape) return;
      expect(uses, `${flag} is taken and '${name}' is never read`).toMatch(new RegExp(`\\b${name}\\b`));
    },
  );
});

test('commands that compute nothing refuse the flags of a backend by name', async () => {
  for (const { path, command } of commands) {
    const offered = command.options.map((option) => option.attributeName());
    const missing = commonFlags.filter((name) => !offered.includes(name));
    for (const name of missing) {
      const program = lazyscopeCommand();
      const said: string[] = [];
      const quiet = (one: Command): void => {
        one
          .exitOverride()
          .configureOutput({ outputError: (text) => void said.push(text), writeErr: () => {} });
        for (const child of one.commands) quiet(child);
      };
      quiet(program);
      const needed = command.options
        .filter(({ mandatory }) => mandatory)
        .map(({ long }) => `${long}=saelens`);
      await expect(
        program.parseAsync([...path, ...needed, `--${name}=1`], { from: 'user' }),
      ).rejects.toThrow();
      expect(said.join('')).toMatch(new RegExp(`unknown option '--${name}|unknown command`));
    }
  }
});
