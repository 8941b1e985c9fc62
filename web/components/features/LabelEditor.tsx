'use client';
import { useId, useState, type FormEvent } from 'react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { FeatureDetail } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { Panel } from '../ui/Panel.tsx';
import styles from './LabelEditor.module.css';

/** Form for a person's label and note on a feature. They are kept in the store and shown wherever the feature is. */
export function LabelEditor({ feature }: { feature: FeatureDetail }) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const [label, setLabel] = useState(feature.label ?? '');
  const [note, setNote] = useState(feature.note ?? '');
  const field = useId();
  const save = useMutation(
    trpc.labels.set.mutationOptions({
      onSuccess: async () => {
        await Promise.all([
          queries.invalidateQueries(trpc.features.pathFilter()),
          queries.invalidateQueries(trpc.labels.pathFilter()),
        ]);
      },
    }),
  );
  const changed = label.trim() !== (feature.label ?? '') || note.trim() !== (feature.note ?? '');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate({ run: feature.run, seed: feature.seed, latent: feature.latent, label, note });
  };
  return (
    <Panel title="Label">
      <form className={styles.form} onSubmit={submit}>
        <label htmlFor={`${field}-label`} className="visually-hidden">
          Label
        </label>
        <input
          id={`${field}-label`}
          className="field"
          maxLength={200}
          placeholder="What is it about?"
          autoComplete="off"
          value={label}
          onChange={(event) => setLabel(event.target.value)}
        />
        <label htmlFor={`${field}-note`} className="visually-hidden">
          Note
        </label>
        <textarea
          id={`${field}-note`}
          className="field"
          rows={2}
          maxLength={10_000}
          placeholder="Evidence, doubts, counter-examples"
          value={note}
          onChange={(event) => setNote(event.target.value)}
        />
        <div className="cluster">
          <button type="submit" className="button primary" disabled={!changed || save.isPending}>
            {save.isPending ? 'Saving…' : 'Save label'}
          </button>
          <span className="small muted" role="status">
            {save.isSuccess && !changed ? (label.trim() || note.trim() ? 'Saved.' : 'Removed.') : ''}
          </span>
        </div>
        {save.isError && <ErrorNotice error={save.error} />}
      </form>
    </Panel>
  );
}
