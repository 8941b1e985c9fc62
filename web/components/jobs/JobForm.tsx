'use client';
import { useId, useState, type FormEvent } from 'react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { JobKind } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { useJobChoices } from './useJobChoices.ts';
import { draftJob, jobForms, type FieldSource, type JobField } from './jobForms.ts';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
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
  const choices = useJobChoices(typed);
  const values = withOnlyChoices(jobForms[kind].fields, typed, choices);
  const start = useMutation(
    trpc.jobs.start.mutationOptions({
      onSuccess: async (job) => {
        await queries.invalidateQueries(trpc.jobs.list.queryFilter());
        started(job.id);
      },
    }),
  );
  const form = jobForms[kind];
  const shown = form.fields.filter(
    (field) => !field.when || field.when.values.includes(values[field.when.field] ?? ''),
  );
  const set = (name: string, value: string) => {
    setTyped((all) => ({ ...all, [name]: value }));
    setErrors((all) => ({ ...all, [name]: '' }));
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const draft = draftJob(kind, values);
    if ('errors' in draft) {
      setErrors(draft.errors);
      const first = form.fields.find((field) => draft.errors[field.name])?.name;
      event.currentTarget.querySelector<HTMLElement>(`[name="${first}"]`)?.focus();
      return;
    }
    start.mutate(draft.input);
  };
  const field = (one: JobField) => (
    <Field
      key={one.name}
      field={one}
      value={values[one.name] ?? ''}
      choices={one.source ? choices[one.source] : undefined}
      error={errors[one.name]}
      change={(value) => set(one.name, value)}
    />
  );
  const advanced = shown.filter((one) => one.advanced);
  return (
    <form className={styles.form} onSubmit={submit} noValidate aria-label={form.title}>
      {shown.filter((one) => !one.advanced).map(field)}
      {advanced.length > 0 && (
        <details className={styles.more}>
          <summary>More settings</summary>
          <div className={styles.form}>{advanced.map(field)}</div>
        </details>
      )}
      {start.isError && <ErrorNotice error={start.error} />}
      <div className="cluster">
        <button type="submit" className="button primary" disabled={start.isPending}>
          {start.isPending ? 'Starting…' : form.title}
        </button>
        <span className="small muted" role="status">
          {start.isSuccess ? 'Started.' : ''}
        </span>
      </div>
    </form>
  );
}

function Field({
  field,
  value,
  choices,
  error,
  change,
}: {
  field: JobField;
  value: string;
  choices: readonly { value: string; name: string }[] | undefined;
  error: string | undefined;
  change: (value: string) => void;
}) {
  const id = useId();
  const described = [error ? `${id}-error` : '', field.hint ? `${id}-hint` : ''].filter(Boolean).join(' ');
  const common = {
    id,
    name: field.name,
    className: 'field',
    'aria-describedby': described || undefined,
    'aria-invalid': error ? true : undefined,
    'aria-required': field.required,
  } as const;
  if (field.kind === 'flag')
    return (
      <label className="cluster small">
        <input
          type="checkbox"
          name={field.name}
          checked={value === 'on'}
          onChange={(event) => change(event.target.checked ? 'on' : '')}
        />
        {field.label}
      </label>
    );
  return (
    <div
      className={styles.field}
      data-narrow={field.kind === 'whole' || field.kind === 'number' || undefined}
    >
      <label htmlFor={id}>
        {field.label}
        {!field.required && <span className="faint xs"> optional</span>}
      </label>
      {field.kind === 'choice' ? (
        <select {...common} value={value} onChange={(event) => change(event.target.value)}>
          <option value="">
            {field.required ? (choices?.length === 0 ? 'none in this store yet' : 'choose…') : 'default'}
          </option>
          {(choices ?? []).map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.name}
            </option>
          ))}
        </select>
      ) : (
        <>
          <input
            {...common}
            type="text"
            inputMode={field.kind === 'whole' ? 'numeric' : field.kind === 'number' ? 'decimal' : 'text'}
            autoComplete="off"
            spellCheck={false}
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
      {error && (
        <p id={`${id}-error`} className={styles.error}>
          {error}
        </p>
      )}
      {field.hint && (
        <p id={`${id}-hint`} className="xs faint">
          {field.hint}
        </p>
      )}
    </div>
  );
}

/** Where a field must be filled and the store offers one thing, that is what is meant. */
function withOnlyChoices(
  fields: readonly JobField[],
  typed: Readonly<Record<string, string>>,
  choices: Readonly<Record<FieldSource, readonly { value: string }[]>>,
): Record<string, string> {
  const values = { ...typed };
  for (const field of fields) {
    const [only, another] = field.source && field.kind === 'choice' ? choices[field.source] : [];
    if (field.required && values[field.name] === undefined && only && !another)
      values[field.name] = only.value;
  }
  return values;
}
