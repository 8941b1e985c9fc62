/**
 * The database lazyscope.duckdb, which holds the labels that people write and the log of jobs. Everything else in the store is files that
 * commands write; the server is the only writer of this one.
 */
import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LazyscopeError, isLazyscopeError } from '../sae/errors.ts';
import { explainWriteError } from '../sae/store/atomicWrite.ts';

const tables = `
  CREATE TABLE IF NOT EXISTS labels (
    run VARCHAR, seed INTEGER, latent INTEGER, label VARCHAR, note VARCHAR, "updatedAt" VARCHAR,
    PRIMARY KEY (run, seed, latent)
  );
  CREATE TABLE IF NOT EXISTS jobs (
    id VARCHAR PRIMARY KEY, kind VARCHAR, options VARCHAR, command VARCHAR, status VARCHAR,
    "createdAt" VARCHAR, "startedAt" VARCHAR, "finishedAt" VARCHAR, "exitCode" INTEGER,
    error VARCHAR, log VARCHAR, result VARCHAR
  );`;

export class Database {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  /** The statement before, for which the next one waits: statements of one connection run one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  /**
   * Throws 'conflict' when another process has the file, 'corrupt' when it isn't a database, 'no_space' on a full
   * disk, 'bad_input' where the folder can't be made.
   */
  static async open(path: string): Promise<Database> {
    await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
      throw explainWriteError(error, dirname(path));
    });
    // A full disk leaves an empty file, which DuckDB would refuse ever after.
    if (statSync(path, { throwIfNoEntry: false })?.size === 0) await rm(path);
    try {
      const instance = await DuckDBInstance.create(path);
      const connection = await instance.connect();
      await connection.run(tables);
      return new Database(instance, connection);
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : '';
      if (/lock/i.test(said))
        throw new LazyscopeError(
          'conflict',
          `'${path}' is open in another process: stop the other server, or give this one its own --data folder.`,
          { cause },
        );
      const explained = explainWriteError(cause, path);
      if (isLazyscopeError(explained)) throw explained;
      throw new LazyscopeError(
        'corrupt',
        `'${path}' can't be opened as a database: move it away to start a new one.`,
        {
          cause,
        },
      );
    }
  }

  query(sql: string, params: Record<string, DuckDBValue> = {}): Promise<Record<string, unknown>[]> {
    const result = this.#last.then(async () =>
      (await this.#connection.runAndReadAll(sql, params)).getRowObjectsJS(),
    );
    this.#last = result.catch(() => {});
    return result;
  }

  async close(): Promise<void> {
    await this.#last;
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}
