'use client';
import { useId, useState, type FormEvent } from 'react';
import { useMutation } from '@tanstack/react-query';
import type { LabelFormat, LabelImport } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { count } from '../../format/number.ts';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { Panel } from '../ui/Panel.tsx';
import { DictionaryFields } from './DictionaryFields.tsx';
import { OverwriteBox } from './OverwriteBox.tsx';
import { readLabelFile } from './readLabelFile.ts';
import { useLabelsChanged } from './useLabelsChanged.ts';
import styles from './LabelsView.module.css';

/** Form that reads labels from a file: first it says what would happen, then it does it. */
export function ImportLabels() {
  const trpc = useTRPC();
  const changed = useLabelsChanged();
  const field = useId();
  const [file, setFile] = useState<{ name: string; text: string } | null>(null);
  const [format, setFormat] = useState<LabelFormat>('csv');
  const [into, setInto] = useState({ run: '', seed: '' });
  const [overwrite, setOverwrite] = useState(false);
  const [unreadable, setUnreadable] = useState(false);
  const run = useMutation(trpc.labels.import.mutationOptions({ onSuccess: changed }));
  const start = (dryRun: boolean) => {
    if (!file) return;
    run.mutate({
      format,
      text: file.text,
      overwrite,
      dryRun,
      ...(into.run ? { run: into.run, seed: Number(into.seed) } : {}),
    });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    start(false);
  };
  const take = async (chosen: File | undefined) => {
    run.reset();
    setUnreadable(false);
    setFile(null);
    if (!chosen) return;
    try {
      setFile({ name: chosen.name, text: await readLabelFile(chosen) });
    } catch {
      setUnreadable(true);
    }
    setFormat(chosen.name.endsWith('.csv') ? 'csv' : formatOf(chosen.name));
  };
  return (
    <Panel
      title="Import labels"
      note="CSV with the columns latent and label (and run, seed, note), the same as JSON, or explanations of Neuronpedia. All that can be taken is taken in one step."
    >
      <form className={styles.form} onSubmit={submit}>
        <div className={styles.fields}>
          <label className="small" htmlFor={`${field}-file`}>
            File
            <input
              id={`${field}-file`}
              type="file"
              className="field"
              accept=".csv,.json,.jsonl,.gz"
              onChange={(event) => void take(event.target.files?.[0])}
            />
          </label>
          <label className="small" htmlFor={`${field}-format`}>
            Format
            <select
              id={`${field}-format`}
              className="field"
              value={format}
              onChange={(event) => setFormat(event.target.value as LabelFormat)}
            >
              <option value="csv">CSV</option>
              <option value="json">JSON</option>
              <option value="neuronpedia">Neuronpedia</option>
            </select>
          </label>
          <DictionaryFields value={into} change={setInto} none="as the file says" />
        </div>
        <OverwriteBox checked={overwrite} change={setOverwrite} />
        <div className="cluster">
          <button
            type="button"
            className="button"
            disabled={!file || run.isPending}
            onClick={() => start(true)}
          >
            Say what would happen
          </button>
          <button type="submit" className="button primary" disabled={!file || run.isPending}>
            Import
          </button>
        </div>
        <div role="status" className="small">
          {run.data && <Report result={run.data} tried={run.variables?.dryRun === true} />}
        </div>
        {unreadable && <p role="alert">The file can’t be unpacked: fetch it again.</p>}
        {run.isError && <ErrorNotice error={run.error} />}
      </form>
    </Panel>
  );
}

function formatOf(name: string): LabelFormat {
  return /neuronpedia|explanation|batch-/i.test(name) ? 'neuronpedia' : 'json';
}

function Report({ result, tried }: { result: LabelImport; tried: boolean }) {
  const { taken, replaced, skipped, reasons, examples } = result;
  return (
    <div className={styles.report}>
      <p>
        {`${count(taken)} ${taken === 1 ? 'label' : 'labels'} ${tried ? 'would be taken' : 'taken'}`}
        {replaced > 0 && `, ${count(replaced)} of them in place of another`}
        {`; ${count(skipped)} skipped${skipped > 0 ? ':' : '.'}`}
      </p>
      {skipped > 0 && (
        <ul>
          {Object.entries(reasons).map(([why, times]) => (
            <li key={why}>
              {count(times)} × {why} (
              {lines(examples.filter((one) => one.why === why).map(({ line }) => line))})
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function lines(numbers: readonly number[]): string {
  if (numbers.length === 0) return 'further down';
  const some = numbers.slice(0, 5).join(', ');
  return `${numbers.length === 1 ? 'line' : 'lines'} ${some}${numbers.length > 5 ? ' …' : ''}`;
}
