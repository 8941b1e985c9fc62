/** Every kind of job, from what is typed into its form to what its command is given. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { architectureNames, describedArchitecture } from '../../sae/spec/architectures/architectures.ts';
import type { Field } from '../../sae/spec/fields.ts';
import { flagOf } from '../../sae/spec/jobs/job.ts';
import { commandWords, describedJob, jobKinds, type JobKind } from '../../sae/spec/jobs/jobs.ts';
import { fieldSchema } from '../../sae/spec/schema.ts';
import { jobStartInput } from '../../server/contract/jobs.ts';
import { commandArguments } from '../../server/jobs/commandArguments.ts';
import { draftJob, formOptions, isShown } from '../../web/components/jobs/jobForms.ts';
import { givenTo, jobCommand } from './jobCommand.ts';

/** The options that the command receives when the server starts the job with these arguments. */
async function givenBy(kind: JobKind, args: readonly string[]): Promise<Record<string, unknown>> {
  const command = jobCommand(kind)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .action(() => {});
  await command.parseAsync([...args], { from: 'user' });
  return { ...givenTo(kind, command) };
}

/** A value that can be typed for a field: no default, different for each option, and full of quotes and dashes where text is free. */
function typedFor(field: Field, at: number): string {
  switch (field.type) {
    case 'integer':
      return String(Math.min(field.min + 3 + at, field.max ?? Infinity));
    case 'number':
      return String((field.min + Math.min(field.max ?? 100, field.min + 1)) / 2 + at / 1000);
    case 'text':
      return `--data=el'se "where" ${at}`;
    case 'name':
      return `a-name.${at}`;
    case 'dataset':
      return `dataset:a-name.${at}`;
    case 'size':
      return `${1.5 + at}GB`;
    case 'choice':
      return field.choices.at(-1) ?? '';
    case 'flag':
      return 'on';
    case 'integers':
      return `${at}, ${at + 2}-${at + 4}`;
    case 'texts':
      return `--json, blocks.${at}.hook_mlp_out`;
    case 'dictionary':
      return `run-${at}/${at}`;
  }
}

/**
 * Forms with every shown field filled in, one for each value of an option that others depend on; a field that can't be filled in beside others is empty in
 * one, and these are in another.
 */
function filledForms(kind: JobKind): Record<string, string>[] {
  const options = formOptions(kind);
  const everything = Object.fromEntries(
    options.map(({ name, option }, at) => [name, typedFor(option.field, at)]),
  );
  const deciding = new Set(options.flatMap(({ form: { when } }) => (when ? [when.option] : [])));
  const forms = [...deciding].flatMap((name) => {
    const { field } = describedJob(kind).options[name];
    return field.type === 'choice' ? field.choices.map((value) => ({ ...everything, [name]: value })) : [];
  });
  const all = forms.length > 0 ? forms : [everything];
  const against = options.find(({ form }) => form.against);
  if (!against) return all;
  const others = against.form.against?.filter(({ having }) => having === 'any') ?? [];
  const emptied = Object.fromEntries(others.map(({ option }) => [option, '']));
  return all.flatMap((typed) => [
    { ...typed, [against.name]: '' },
    { ...typed, ...emptied },
  ]);
}

describe.each(jobKinds)('%s', (kind) => {
  const { options } = describedJob(kind);

  test('what is typed into the form reaches the command', async () => {
    for (const typed of filledForms(kind)) {
      const draft = draftJob(kind, typed);
      if ('errors' in draft) throw new Error(JSON.stringify(draft.errors));
      const shown = formOptions(kind).filter((one) => isShown(one, typed) && typed[one.name] !== '');
      expect(Object.keys(draft.input.options)).toEqual(shown.map(({ name }) => name));
      const started = jobStartInput.parse(JSON.parse(JSON.stringify(draft.input)));
      expect(started).toEqual(draft.input);
      const words = commandWords(kind);
      const args = commandArguments(started);
      expect(args.splice(0, words.length)).toEqual(words);
      const given = await givenBy(kind, args);
      for (const { name, option } of shown) {
        const asTyped = option.open || option.field.type === 'name' || option.field.type === 'dictionary';
        const value: unknown = Object(started.options)[name];
        const expected = asTyped ? typed[name] : value;
        expect([name, given[name]]).toEqual([name, option.argument === 'several' ? [expected] : expected]);
      }
      // Options that only the command line has keep their defaults.
      for (const [name, option] of Object.entries(options))
        if (!option.form) expect([name, given[name]]).toEqual([name, option.default]);
    }
  });

  test('a job that says the least gets every default', async () => {
    const typed = Object.fromEntries(
      formOptions(kind)
        .filter(({ option }) => option.required)
        .map(({ name, option }, at) => [name, typedFor(option.field, at)]),
    );
    const draft = draftJob(kind, typed);
    if ('errors' in draft) throw new Error(JSON.stringify(draft.errors));
    const args = commandArguments(jobStartInput.parse(draft.input)).slice(commandWords(kind).length);
    const given = await givenBy(kind, args);
    for (const [name, option] of Object.entries(options))
      if (!option.required) expect([name, given[name]]).toEqual([name, option.default]);
    for (const name of Object.keys(typed)) {
      expect(
        jobStartInput.safeParse({ kind, options: { ...draft.input.options, [name]: undefined } }).success,
      ).toBe(false);
      const errors = draftJob(kind, { ...typed, [name]: ' ' });
      expect(errors).toMatchObject({ errors: { [name]: expect.stringMatching(/needed/) } });
    }
  });

  test('has the option neither of the command line alone nor of nobody', () => {
    const foreign = {
      ...Object.fromEntries(Object.keys(options).map((name) => [name, undefined])),
      data: '/',
    };
    const issues = jobStartInput.safeParse({ kind, options: foreign }).error?.issues ?? [];
    const unknown = issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : []));
    const hidden = Object.keys(options).filter((name) => !options[name].form);
    expect(unknown.toSorted()).toEqual([...hidden, 'data'].toSorted());
  });

  test('is described without contradictions', () => {
    const names = Object.keys(options);
    for (const [name, { default: fixed, otherwise, form, field, argument, open }] of Object.entries(
      options,
    )) {
      if (fixed !== undefined) expect(fieldSchema(field).parse(fixed)).toBe(fixed);
      expect(fixed === undefined || otherwise === undefined).toBe(true);
      const others = [
        form?.when?.option,
        form?.differsFrom,
        ...(form?.against ?? []).map((one) => one.option),
        typeof otherwise === 'object' && otherwise.option,
      ];
      for (const other of others) if (other) expect(names).toContain(other);
      // A job's argument stands alone on the command line: it must not be able to pass for an option.
      if (argument && form && !open)
        expect(['name', 'dictionary', 'integer', 'choice']).toContain(field.type);
      // Nor may it have the name of an option that every command has, or of a parameter of the jobs page's address.
      const flag = flagOf(name, options[name]);
      for (const common of ['json', 'data', 'backend', 'threads', 'help', 'start', 'job'])
        expect([name, flag]).not.toContain(common);
    }
  });

  test('has a command that loads', async () => {
    expect(existsSync(join(import.meta.dirname, '../commands', `${kind}.ts`))).toBe(true);
    const { run }: { run: unknown } = await import(`../commands/${kind}.ts`);
    expect(run).toBeTypeOf('function');
  });
});

describe('training', () => {
  test('offers the settings of each architecture for that one, with the defaults it trains with', () => {
    const { options } = describedJob('train');
    for (const architecture of architectureNames) {
      const { settings, defaults } = describedArchitecture(architecture);
      const offered = Object.keys(settings).filter((name) => settings[name].offered);
      const shown = formOptions('train').filter((one) => one.form.when && isShown(one, { architecture }));
      expect(shown.map(({ name }) => name).toSorted()).toEqual(offered.toSorted());
      const values: Record<string, unknown> = { ...defaults(1024, 128) };
      for (const name of offered)
        expect(options[name].otherwise).toMatchObject({
          words: { [architecture]: values[name] === null ? 'none' : String(values[name]) },
        });
    }
  });

  test('settings that share a name are the same, whatever the architecture', () => {
    for (const a of architectureNames)
      for (const b of architectureNames)
        for (const [name, setting] of Object.entries(describedArchitecture(a).settings))
          // One of them may have had it from the beginning.
          expect({ ...(describedArchitecture(b).settings[name] ?? setting), before: null }).toEqual({
            ...setting,
            before: null,
          });
  });
});

test('a mistyped value names the option and says what it must be', async () => {
  const refusal = async (...args: string[]) =>
    givenBy('compare', ['a/0', 'b/0', ...args]).catch((error: Error) => error.message);
  expect(await refusal('--threshold=0,7')).toMatch(
    /--threshold <cosine>.*'0,7'.*It must be a number between 0 and 1\./,
  );
  expect(await refusal('--memory=much')).toMatch(/--memory <size>.*'much'.*800MB or 2GB/);
});
