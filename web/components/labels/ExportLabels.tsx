'use client';
import { useMutation } from '@tanstack/react-query';
import type { LabelFormat } from '../../../server/client.ts';
import { saveText } from '../../client/saveText.ts';
import { useTRPCClient } from '../../client/trpc.ts';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { Icon } from '../ui/Icon.tsx';
import type { LabelFilter } from './labelQuery.ts';

/** Buttons that save the labels that pass the filter, all pages of them, as a file. */
export function ExportLabels({ filter, total }: { filter: LabelFilter; total: number }) {
  const client = useTRPCClient();
  const save = useMutation({
    mutationFn: (format: LabelFormat) => client.labels.export.query({ ...filter, format }),
    onSuccess: ({ text, name, mediaType }) => saveText(text, name, mediaType),
  });
  const oneDictionary = filter.run !== undefined && filter.seed !== undefined;
  return (
    <div className="cluster">
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
