/** One column of text from somebody else's Parquet file, read as it is needed. */
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { LazyscopeError } from '../errors.ts';
import { quoted } from './tableSql.ts';

/** What a column is called, and its type in DuckDB's words. */
export interface ParquetColumn {
  name: string;
  type: string;
}

/** Rows of a column so far, of all. */
export interface ColumnRows {
  values: (string | null)[];
  done: number;
  total: number;
}

/** A Parquet file, open for reading. Close it. */
export class ParquetText {
  readonly path: string;
  readonly columns: readonly ParquetColumn[];
  readonly rows: number;
  #instance: DuckDBInstance;
  #connection: DuckDBConnection;

  private constructor(
    path: string,
    opened: {
      instance: DuckDBInstance;
      connection: DuckDBConnection;
      columns: ParquetColumn[];
      rows: number;
    },
  ) {
    this.path = path;
    this.columns = opened.columns;
    this.rows = opened.rows;
    this.#instance = opened.instance;
    this.#connection = opened.connection;
  }

  /** Throws `corrupt` when the file isn't a whole Parquet file. */
  static async open(path: string): Promise<ParquetText> {
    const instance = await DuckDBInstance.create(':memory:', {
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      memory_limit: '1GB',
      // Each thread has a row group in memory.
      threads: '1',
    });
    const connection = await instance.connect();
    try {
      const described = await connection.runAndReadAll('DESCRIBE SELECT * FROM read_parquet($path)', {
        path: literalPath(path),
      });
      const columns = described.getRowObjectsJS().map((row) => ({
        name: String(row['column_name']),
        type: String(row['column_type']),
      }));
      const counted = await connection.runAndReadAll('SELECT count(*) AS n FROM read_parquet($path)', {
        path: literalPath(path),
      });
      const rows = Number(counted.getRowObjectsJS()[0]['n']);
      return new ParquetText(path, { instance, connection, columns, rows });
    } catch (cause) {
      connection.closeSync();
      instance.closeSync();
      throw damaged(path, cause);
    }
  }

  /** The values of a column in the order of the rows. Throws `corrupt` where the file is damaged. */
  async *column(name: string): AsyncGenerator<ColumnRows, void, void> {
    let done = 0;
    try {
      const result = await this.#connection.stream(
        `SELECT ${quoted(name)}::VARCHAR FROM read_parquet($path)`,
        { path: literalPath(this.path) },
      );
      for (;;) {
        const chunk = await result.fetchChunk();
        if (!chunk || chunk.rowCount === 0) break;
        const values = chunk.getColumnValues(0).map((value) => (value === null ? null : String(value)));
        done += values.length;
        yield { values, done, total: this.rows };
      }
    } catch (cause) {
      throw damaged(this.path, cause);
    }
    if (done !== this.rows) throw damaged(this.path, undefined);
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}

/** DuckDB takes a path for a pattern; a character in brackets stands for itself. */
function literalPath(path: string): string {
  return path.replaceAll(/[*?[]/g, '[$&]');
}

function damaged(path: string, cause: unknown): LazyscopeError {
  return new LazyscopeError('corrupt', `'${path}' is not a whole Parquet file: fetch or make it again.`, {
    cause,
  });
}
