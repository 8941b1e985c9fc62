'use client';
import { useState, type FormEvent } from 'react';
import { useMutation } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { Panel } from '../ui/Panel.tsx';
import { CarryReport } from './CarryReport.tsx';
import { DictionaryFields } from './DictionaryFields.tsx';
import { OverwriteBox } from './OverwriteBox.tsx';
import { useLabelsChanged } from './useLabelsChanged.ts';
import styles from './LabelsView.module.css';

/** Form that copies all labels of a dictionary to their counterparts in the other seeds. */
export function CarryLabels() {
  const trpc = useTRPC();
  const changed = useLabelsChanged();
  const [from, setFrom] = useState({ run: '', seed: '' });
  const [overwrite, setOverwrite] = useState(false);
  const carry = useMutation(trpc.labels.carry.mutationOptions({ onSuccess: changed }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    carry.mutate({ run: from.run, seed: Number(from.seed), overwrite });
  };
  return (
    <Panel
      title="Copy to counterparts"
      note="Labels of one seed, copied to the matched latents of every seed it was compared with, where the pair is shared. A copy says where it comes from."
    >
      <form className={styles.form} onSubmit={submit}>
        <div className={styles.fields}>
          <DictionaryFields value={from} change={setFrom} none="choose a run" />
          <button type="submit" className="button" disabled={from.run === '' || carry.isPending}>
            Copy labels
          </button>
        </div>
        <OverwriteBox checked={overwrite} change={setOverwrite} />
        <div role="status" className="small">
          {carry.data && <CarryReport result={carry.data} />}
        </div>
        {carry.isError && <ErrorNotice error={carry.error} />}
      </form>
    </Panel>
  );
}
