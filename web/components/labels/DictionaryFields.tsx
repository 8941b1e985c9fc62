'use client';
import { useId } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';

/** Choice of a run and one of its seeds. */
export function DictionaryFields({
  value,
  change,
  none,
}: {
  value: { run: string; seed: string };
  change: (value: { run: string; seed: string }) => void;
  /** What is said while nothing is chosen. */
  none: string;
}) {
  const trpc = useTRPC();
  const runs = useQuery(trpc.runs.list.queryOptions());
  const field = useId();
  const names = [...new Set((runs.data ?? []).map(({ name }) => name))];
  const seeds = (runs.data ?? []).filter(({ name }) => name === value.run).map(({ seed }) => String(seed));
  return (
    <>
      <label className="small" htmlFor={`${field}-run`}>
        Run
        <select
          id={`${field}-run`}
          className="field"
          value={value.run}
          onChange={({ target }) => {
            const first = (runs.data ?? []).find(({ name }) => name === target.value);
            change({ run: target.value, seed: first ? String(first.seed) : '' });
          }}
        >
          <option value="">{none}</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {value.run !== '' && (
        <label className="small" htmlFor={`${field}-seed`}>
          Seed
          <select
            id={`${field}-seed`}
            className="field"
            value={value.seed}
            onChange={({ target }) => change({ run: value.run, seed: target.value })}
          >
            {seeds.map((seed) => (
              <option key={seed} value={seed}>
                {seed}
              </option>
            ))}
          </select>
        </label>
      )}
    </>
  );
}
