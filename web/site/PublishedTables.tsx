/**
 * Links to the tables that lie beside the pages, and as CSV those that the page has. Stands for web/components/ui/StoredTableLinks.tsx and
 * TableLinks.tsx; nothing where the study was published without tables.
 */
import { useMutation, useQuery } from '@tanstack/react-query';
import { siteFiles } from '../../sae/spec/site/answerPlace.ts';
import { tableKey, type TablesFile } from '../../sae/spec/site/siteContent.ts';
import { saveText } from '../client/saveText.ts';
import { ErrorNotice } from '../components/ui/ErrorNotice.tsx';
import { hasTables } from './pages.ts';
import styles from './PublishedTables.module.css';
import { siteFile } from './siteFile.ts';
import { tableCsv, type TableOf } from './tableCsv.ts';

/** What only some rows of a table are asked for by. */
const parts: ReadonlySet<string> = new Set(['latent', 'layer', 'neuron']);

export function StoredTableLinks({ tables, of }: { tables: readonly string[]; of: TableOf }) {
  return <TablesBeside tables={tables.map((name) => ({ name, table: name }))} of={of} />;
}

export function TableLinks({
  report,
  tables,
  layer,
  neuron,
}: {
  report: string;
  tables: readonly string[];
  layer?: number;
  neuron?: number;
}) {
  const of = {
    report,
    ...(layer === undefined ? {} : { layer }),
    ...(neuron === undefined ? {} : { neuron }),
  };
  return <TablesBeside tables={tables.map((name) => ({ name, table: `sparsity-${name}` }))} of={of} />;
}

function TablesBeside({
  tables,
  of,
}: {
  /** What each is called here, and its name among the tables of the store. */
  tables: readonly { name: string; table: string }[];
  of: TableOf;
}) {
  const places = useQuery({
    queryKey: ['tables beside the pages'],
    queryFn: () => siteFile<TablesFile>(siteFiles.tables()),
    enabled: hasTables(),
  });
  const save = useMutation({
    mutationFn: async ({ name, text }: { name: string; text: () => Promise<string> }) =>
      saveText(await text(), name, 'text/csv'),
  });
  const whole = Object.fromEntries(Object.entries(of).filter(([name]) => !parts.has(name)));
  const found = tables.flatMap(({ name, table }) => {
    const place = places.data?.[tableKey(table, whole)];
    return place === undefined ? [] : [{ name, place, csv: tableCsv(table, of) }];
  });
  if (found.length === 0) return null;
  return (
    <div className={styles.links}>
      Tables:
      {found.map(({ name, place, csv }) => (
        <span key={name}>
          {name} (
          {csv && (
            <>
              <button
                type="button"
                className={styles.save}
                aria-label={`Save the table of ${name} as CSV`}
                onClick={() =>
                  save.mutate({ name: `${[...Object.values(of), name].join('-')}.csv`, text: csv })
                }
              >
                CSV
              </button>
              ,{' '}
            </>
          )}
          <a href={place} download aria-label={`Save the table of ${name} as Parquet`}>
            Parquet
          </a>
          )
        </span>
      ))}
      {save.isError && <ErrorNotice error={save.error} />}
    </div>
  );
}
