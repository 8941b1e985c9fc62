'use client';
import { useId, useState, type FormEvent } from 'react';
import { useMutation } from '@tanstack/react-query';
import { longestLabel, longestNote } from '../../../sae/spec/labelSources.ts';
import type { FeatureDetail } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { AutomaticLabelList } from '../labels/AutomaticLabelList.tsx';
import { CarryReport } from '../labels/CarryReport.tsx';
import { SourceText } from '../labels/SourceText.tsx';
import { useLabelsChanged } from '../labels/useLabelsChanged.ts';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { Panel } from '../ui/Panel.tsx';
import styles from './LabelEditor.module.css';

/** Form for a person's label and note on a feature, with its automatic labels. They are kept in the store and shown wherever the feature is. */
export function LabelEditor({ feature }: { feature: FeatureDetail }) {
  const trpc = useTRPC();
  const [label, setLabel] = useState(feature.label ?? '');
  const [note, setNote] = useState(feature.note ?? '');
  const field = useId();
  const onSuccess = useLabelsChanged();
  const save = useMutation(trpc.labels.set.mutationOptions({ onSuccess }));
  const carry = useMutation(trpc.labels.carry.mutationOptions({ onSuccess }));
  const changed = label.trim() !== (feature.label ?? '') || note.trim() !== (feature.note ?? '');
  const { run, seed, latent } = feature;
  const write = (text: string) => save.mutate({ run, seed, latent, label: text, note });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    // An automatic label stays automatic while only the note is changed.
    const kind = feature.labelled?.source.kind;
    const automatic = (kind === 'data' || kind === 'endpoint') && label.trim() === feature.label;
    write(automatic ? '' : label);
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
          maxLength={longestLabel}
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
          maxLength={longestNote}
          placeholder="Evidence, doubts, counter-examples"
          value={note}
          onChange={(event) => setNote(event.target.value)}
        />
        {feature.labelled && (
          <p className="small muted">
            Source: <SourceText source={feature.labelled.source} />
          </p>
        )}
        <div className="cluster">
          <button type="submit" className="button primary" disabled={!changed || save.isPending}>
            {save.isPending ? 'Saving…' : 'Save label'}
          </button>
          {feature.label !== null && feature.comparedSeeds > 0 && (
            <button
              type="button"
              className="button"
              disabled={changed || carry.isPending}
              onClick={() => carry.mutate({ run, seed, latent })}
            >
              Copy to counterparts
            </button>
          )}
          <span className="small muted" role="status">
            {save.isSuccess && !changed ? (label.trim() || note.trim() ? 'Saved.' : 'Removed.') : ''}
          </span>
        </div>
        {save.isError && <ErrorNotice error={save.error} />}
        <div role="status" className="small">
          {carry.data && <CarryReport result={carry.data} />}
        </div>
        {carry.isError && <ErrorNotice error={carry.error} />}
      </form>
      <AutomaticLabelList
        labels={feature.automaticLabels}
        use={(text) => {
          setLabel(text);
          write(text);
        }}
      />
    </Panel>
  );
}
