'use client';
import Link from 'next/link';
import { useId, useState, type FormEvent } from 'react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { namePattern, nameRule } from '../../../sae/spec/names.ts';
import type { FeatureDetail } from '../../../server/client.ts';
import { paths } from '../../client/paths.ts';
import { useTRPC } from '../../client/trpc.ts';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { Icon } from '../ui/Icon.tsx';
import { Panel } from '../ui/Panel.tsx';
import { useLabelsChanged } from './useLabelsChanged.ts';
import styles from './LabelsView.module.css';

/** The lists that a feature is on, and a field that puts it on another. */
export function FeatureLists({ feature }: { feature: FeatureDetail }) {
  const trpc = useTRPC();
  const changed = useLabelsChanged({ lists: true });
  const field = useId();
  const [name, setName] = useState('');
  const lists = useQuery(trpc.lists.list.queryOptions());
  const onSuccess = async () => {
    setName('');
    await changed();
  };
  const add = useMutation(trpc.lists.add.mutationOptions({ onSuccess }));
  const take = useMutation(trpc.lists.take.mutationOptions({ onSuccess }));
  const { run, seed, latent } = feature;
  const features = [{ run, seed, latent }];
  const valid = namePattern.test(name);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (valid) add.mutate({ name, features });
  };
  return (
    <Panel title="Lists">
      <div className="stack">
        {feature.lists.length > 0 && (
          <ul className={styles.lists}>
            {feature.lists.map((list) => (
              <li key={list} className="cluster">
                <Link href={paths.labels({ list })}>{list}</Link>
                <button
                  type="button"
                  className="button quiet"
                  aria-label={`Take it off the list ${list}`}
                  onClick={() => take.mutate({ name: list, features })}
                >
                  <Icon name="close" />
                </button>
              </li>
            ))}
          </ul>
        )}
        <form className="cluster" onSubmit={submit}>
          <input
            className="field"
            aria-label="Name of a list"
            placeholder="name of a list"
            list={`${field}-lists`}
            autoComplete="off"
            maxLength={128}
            value={name}
            onChange={(event) => setName(event.target.value.replaceAll(/\s+/g, '-'))}
          />
          <datalist id={`${field}-lists`}>
            {(lists.data ?? []).map((list) => (
              <option key={list.name} value={list.name} />
            ))}
          </datalist>
          <button type="submit" className="button" disabled={!valid || add.isPending}>
            Add to list
          </button>
        </form>
        {name !== '' && !valid && <p className="small muted">For a name, {nameRule}.</p>}
        {add.isError && <ErrorNotice error={add.error} />}
      </div>
    </Panel>
  );
}
