'use client';
import { useId } from 'react';
import { useMutation } from '@tanstack/react-query';
import type { LabelFormat } from '../../../server/client.ts';
import { saveText } from '../../client/saveText.ts';
import { useTRPCClient } from '../../client/trpc.ts';
import { count } from '../../format/number.ts';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { Icon } from '../ui/Icon.tsx';
import type { LabelFilter } from './labelQuery.ts';

/** Buttons that save all that pass the filter, on this page of the table and the others, as a file. */
export function ExportLabels({
  filter,
  total,
  noun,
}: {
  filter: LabelFilter;
  total: number;
  /** What the rows are called. */
  noun: 'labels' | 'features';
}) {
  const client = useTRPCClient();
  const save = useMutation({
    mutationFn: (format: LabelFormat) => client.labels.export.query({ ...filter, format }),
    onSuccess: ({ text, name, mediaType }) => saveText(text, name, mediaType),
  });
  const heading = useId();
  const oneDictionary = filter.run !== undefined && filter.seed !== undefined;
  return (
    <div className="cluster" role="group" aria-labelledby={heading}>
      <span className="small muted" id={heading}>
        Save {total === 1 ? `this ${noun.slice(0, -1)}` : `all ${count(total)} ${noun}`} as
      </span>
      {(['csv', 'json', 'neuronpedia'] as const).map((format) => (
        <button
          key={format}
          type="button"
          className="button"
          disabled={total === 0 || save.isPending || (format === 'neuronpedia' && !oneDictionary)}
          title={
            format === 'neuronpedia' && !oneDictionary
              ? 'Neuronpedia’s format holds one dictionary: choose a run and a seed'
              : undefined
          }
          onClick={() => save.mutate(format)}
        >
          <Icon name="download" />
          {names[format]}
        </button>
      ))}
      {save.isError && <ErrorNotice error={save.error} />}
    </div>
  );
}

const names = { csv: 'CSV', json: 'JSON', neuronpedia: 'Neuronpedia' } as const;
