/** Download links for the tables of a sparsity report: whole as Parquet, and the part that the page shows as CSV. */
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
  const asked = new URLSearchParams();
  if (layer !== undefined) asked.set('layer', String(layer));
  if (neuron !== undefined) asked.set('neuron', String(neuron));
  const query = asked.size > 0 ? `?${asked}` : '';
  const name = encodeURIComponent(report);
  return (
    <p className="xs muted cluster" style={{ padding: '0.5rem 1rem 0.75rem' }}>
      Tables:
      {tables.map((table) => (
        <span key={table}>
          {table} (
          <a
            href={`/api/csv/sparsity/${name}/${table}${query}`}
            download
            aria-label={`Save the table of ${table} as CSV`}
          >
            CSV
          </a>
          ,{' '}
          <a
            href={`/api/parquet/sparsity/${name}/${table}`}
            download
            aria-label={`Save the table of ${table} as Parquet`}
          >
            Parquet
          </a>
          )
        </span>
      ))}
    </p>
  );
}
