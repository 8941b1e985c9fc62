/** Opening somebody else's Parquet file, whose columns are read one at a time. */
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { LazyscopeError } from '../errors.ts';
import { noDownloads } from './parquet.ts';

/** What a column is called, and its type in DuckDB's words. */
export interface ParquetColumn {
  name: string;
  type: string;
}

/** A DuckDB of its own, in memory, that has read the file's description. The caller closes both. */
export interface OpenParquet {
  readonly instance: DuckDBInstance;
  readonly connection: DuckDBConnection;
  readonly columns: ParquetColumn[];
  readonly rows: number;
}

/** Throws `corrupt` when the file isn't a whole Parquet file. */
export async function openForeignParquet(path: string): Promise<OpenParquet> {
  const instance = await DuckDBInstance.create(':memory:', {
    ...noDownloads,
    memory_limit: '1GB',
    // Each thread has a row group in memory, and rows keep their order.
    threads: '1',
  });
  const connection = await instance.connect();
  const parameters = { path: literalPath(path) };
  try {
    const described = await connection.runAndReadAll(
      'DESCRIBE SELECT * FROM read_parquet($path)',
      parameters,
    );
    const columns = described.getRowObjectsJS().map((row) => ({
      name: String(row['column_name']),
      type: String(row['column_type']),
    }));
    const counted = await connection.runAndReadAll(
      'SELECT count(*) AS n FROM read_parquet($path)',
      parameters,
    );
    return { instance, connection, columns, rows: Number(counted.getRowObjectsJS()[0]['n']) };
  } catch (cause) {
    connection.closeSync();
    instance.closeSync();
    throw damagedParquet(path, cause);
  }
}

/** DuckDB takes a path for a pattern; a character in brackets stands for itself. */
export function literalPath(path: string): string {
  return path.replaceAll(/[*?[]/g, '[$&]');
}

export function damagedParquet(path: string, cause: unknown): LazyscopeError {
  return new LazyscopeError('corrupt', `'${path}' is not a whole Parquet file: fetch or make it again.`, {
    cause,
  });
}
