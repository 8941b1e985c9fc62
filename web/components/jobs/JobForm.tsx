'use client';
import { useId, useState, type FormEvent } from 'react';
import { keepPreviousData, skipToken, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { describedJob, type JobKind, type JobStartInput } from '../../../sae/spec/jobs/jobs.ts';
import type { HookCheck } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { usePaused } from '../../client/usePaused.ts';
import { JobEstimate } from './JobEstimate.tsx';
import { useHookChecks } from './useHookChecks.ts';
import { useJobChoices } from './useJobChoices.ts';
import {
  choicesOf,
  draftJob,
  formOptions,
  isSelection,
  isShown,
  partsOption,
  takesSeveral,
  whenEmpty,
  withOnlyChoices,
  type Choice,
  type FormOption,
} from './jobForms.ts';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { SeveralChoices } from './SeveralChoices.tsx';
import styles from './JobForm.module.css';

export function JobForm({
  kind,
  initial,
  started,
}: {
  kind: JobKind;
  initial: Record<string, string>;
  started: (id: string) => void;
}) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const [typed, setTyped] = useState<Record<string, string>>(initial);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const offered = useJobChoices(typed);
  const where = useQuery(trpc.jobs.where.queryOptions());
  const split = where.data !== undefined && where.data !== 'here' ? partsOption(kind) : undefined;
  const options = [...formOptions(kind), ...(split ? [split] : [])];
  const values = withOnlyChoices(options, typed, offered);
  const start = useMutation(
    trpc.jobs.start.mutationOptions({
      onSuccess: async (job) => {
        await queries.invalidateQueries(trpc.jobs.list.queryFilter());
        started(job.id);
      },
    }),
  );
  const draft = draftJob(kind, values);
  const asked = usePaused('input' in draft ? JSON.stringify(draft.input) : '');
  const estimate = useQuery(
    trpc.jobs.estimate.queryOptions(asked === '' ? skipToken : (JSON.parse(asked) as JobStartInput), {
      placeholderData: keepPreviousData,
    }),
  );
  const usual = 'input' in draft ? (estimate.data?.usual ?? {}) : {};
  const faults = useHookChecks(options, values);
  const { title } = describedJob(kind);
  const shown = options.filter((one) => isShown(one, values));
  const set = (name: string, value: string) => {
    setTyped((all) => ({ ...all, [name]: value }));
    setErrors((all) => ({ ...all, [name]: '' }));
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if ('errors' in draft) {
      setErrors(draft.errors);
      const first = options.find(({ name }) => draft.errors[name])?.name;
      event.currentTarget.querySelector<HTMLElement>(`[name="${first}"]`)?.focus();
      return;
    }
    if (faults.length > 0) {
      event.currentTarget.querySelector<HTMLElement>('[aria-invalid]')?.focus();
      return;
    }
    start.mutate(draft.input);
  };
  const field = (one: FormOption) => (
    <Field
      key={one.name}
      one={one}
      value={values[one.name] ?? ''}
      choices={choicesOf(one, offered)}
      empty={usual[one.name] ?? whenEmpty(one, values)}
      error={errors[one.name]}
      faults={one.form.source === 'modelHooks' ? faults : []}
      change={(value) => set(one.name, value)}
    />
  );
  const advanced = shown.filter(({ form }) => form.advanced);
  return (
    <form className={styles.form} onSubmit={submit} noValidate aria-label={title}>
      {shown.filter(({ form }) => !form.advanced).map(field)}
      {advanced.length > 0 && (
        <details className={styles.more}>
          <summary>More settings</summary>
          <div className={styles.form}>{advanced.map(field)}</div>
        </details>
      )}
      {'input' in draft && estimate.data && <JobEstimate estimate={estimate.data} />}
      {start.isError && <ErrorNotice error={start.error} />}
      <div className="cluster">
        <button type="submit" className="button primary" disabled={start.isPending}>
          {start.isPending ? 'Starting…' : title}
        </button>
        <span className="small muted" role="status">
          {start.isSuccess ? 'Started.' : ''}
        </span>
      </div>
    </form>
  );
}

/** A narrow field shows about this many characters. */
const fewCharacters = 14;

function Field({
  one,
  value,
  choices,
  empty,
  error,
  faults,
  change,
}: {
  one: FormOption;
  value: string;
  choices: readonly Choice[] | undefined;
  /** What happens when it stays empty. */
  empty: string | undefined;
  error: string | undefined;
  /** Names in it that the chosen model doesn't know. */
  faults: readonly HookCheck[];
  change: (value: string) => void;
}) {
  const id = useId();
  const { name, option, form } = one;
  const { type, doc } = option.field;
  const required = option.required !== undefined;
  const numeric = type === 'integer' || type === 'number';
  const wrong = error !== undefined && error !== '' ? true : faults.length > 0;
  const common = {
    id,
    name,
    className: 'field',
    'aria-describedby': error ? `${id}-error ${id}-hint` : `${id}-hint`,
    'aria-invalid': wrong || undefined,
    'aria-required': required,
  } as const;
  if (type === 'flag') {
    const usual = option.default === true;
    return (
      <label className={`${styles.tick} small`}>
        <input
          type="checkbox"
          name={name}
          checked={value === '' ? usual : value === 'on'}
          onChange={({ target: { checked } }) => change(checked === usual ? '' : checked ? 'on' : 'off')}
        />
        {form.label}
      </label>
    );
  }
  const notes = (
    <>
      {error && (
        <p id={`${id}-error`} className={styles.error}>
          {error}
        </p>
      )}
      {faults.map(({ hook, fault, nearest }) => (
        <p key={hook} className={styles.error} role="alert">
          {fault}{' '}
          {nearest !== null && (
            <button
              type="button"
              className="button quiet"
              onClick={() => change(value.split(hook).join(nearest))}
            >
              Use {nearest}
            </button>
          )}
        </p>
      ))}
      <p id={`${id}-hint`} className="xs faint">
        {form.hint ?? doc}
      </p>
    </>
  );
  if (form.several && choices && takesSeveral(one, choices))
    return (
      <div className={styles.choiceField}>
        <SeveralChoices
          name={name}
          label={form.label}
          optional={!required}
          value={value}
          choices={choices}
          order={form.several}
          empty={empty}
          describedBy={common['aria-describedby']}
          invalid={wrong}
          change={change}
        />
        {notes}
      </div>
    );
  return (
    <div
      className={styles.field}
      data-narrow={(numeric && (empty ?? '').length <= fewCharacters) || undefined}
    >
      <label htmlFor={id}>
        {form.label}
        {!required && <span className="faint xs"> optional</span>}
      </label>
      {isSelection(one) ? (
        <select {...common} value={value} onChange={(event) => change(event.target.value)}>
          <option value="">
            {required ? (choices?.length === 0 ? 'none in this store yet' : 'choose…') : (empty ?? 'default')}
          </option>
          {(choices ?? []).map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.name}
            </option>
          ))}
          {/* From an address, or of what was chosen before: what is sent must be what is seen. */}
          {value !== '' && choices && !choices.some((choice) => choice.value === value) && (
            <option value={value}>{value} (not there)</option>
          )}
        </select>
      ) : (
        <>
          <input
            {...common}
            type="text"
            inputMode={type === 'integer' ? 'numeric' : type === 'number' ? 'decimal' : 'text'}
            autoComplete="off"
            spellCheck={false}
            placeholder={empty}
            list={choices ? `${id}-list` : undefined}
            value={value}
            onChange={(event) => change(event.target.value)}
          />
          {choices && (
            <datalist id={`${id}-list`}>
              {choices.map((choice) => (
                <option key={choice.value} value={choice.value} />
              ))}
            </datalist>
          )}
        </>
      )}
      {notes}
    </div>
  );
}
