import styles from './StoredTableLinks.module.css';

const formats = { csv: 'CSV', arrow: 'Arrow', parquet: 'Parquet' } as const;

/** Links to whole tables of the store, for other programs: docs/TABLES.md says how these read them. */
export function StoredTableLinks({
  tables,
  of,
}: {
  /** Names of tables that have these parameters. */
  tables: readonly string[];
  /** Which run, seed, comparison or report. */
  of: Readonly<Record<string, string | number>>;
}) {
  const query = new URLSearchParams(Object.entries(of).map(([name, value]) => [name, String(value)]));
  // A Parquet file is sent whole, so that there is none of one latent.
  const part = 'latent' in of;
  return (
    <p className={styles.links}>
      {part ? 'In full:' : 'Whole table:'}
      {tables.map((table) => (
        <span key={table}>
          {table} (
          {(Object.keys(formats) as (keyof typeof formats)[])
            .filter((format) => !(part && format === 'parquet'))
            .map((format, at) => (
              <span key={format}>
                {at > 0 && ', '}
                <a
                  href={`/api/${format}/${table}?${query}`}
                  download
                  aria-label={`Save the table of ${table} as ${formats[format]}`}
                >
                  {formats[format]}
                </a>
              </span>
            ))}
          )
        </span>
      ))}
    </p>
  );
}
