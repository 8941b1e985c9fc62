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
  );
  CREATE TABLE IF NOT EXISTS job_processes (job VARCHAR PRIMARY KEY, pid INTEGER);`;

export class Database {
  readonly #path: string;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  /** The statement before, for which the next one waits: statements of one connection run one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#path = path;
    this.#instance = instance;
    this.#connection = connection;
  }

  /**
   * Throws 'conflict' when another process has the file, 'corrupt' when it isn't a database, 'no_space' on a full
   * disk, 'bad_input' where the folder can't be made or written, or its name has a '?'.
   */
  static async open(path: string): Promise<Database> {
    if (path.includes('?'))
      throw new LazyscopeError(
        'bad_input',
        `'${path}' has a '?' in it, which DuckDB takes for the beginning of parameters: choose a data folder without one.`,
      );
    await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
      throw explainWriteError(error, dirname(path));
    });
    // A full disk leaves an empty file, which DuckDB would refuse ever after.
    if (statSync(path, { throwIfNoEntry: false })?.size === 0) await rm(path);
    try {
      const instance = await DuckDBInstance.create(path);
      const connection = await instance.connect();
      await connection.run(tables);
      return new Database(path, instance, connection);
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : '';
      if (/lock/i.test(said))
        throw new LazyscopeError(
          'conflict',
          `'${path}' is open in another process: stop the other server, or give this one its own --data folder.`,
          { cause },
        );
      if (/permission denied|read-only/i.test(said))
        throw new LazyscopeError(
          'bad_input',
          `No permission to write '${path}', which holds the labels: choose a data folder you own.`,
          { cause },
        );
      const explained = explainWriteError(cause, path);
      if (isLazyscopeError(explained)) throw explained;
      throw new LazyscopeError(
        'corrupt',
        `'${path}' can't be opened as a database: put a backup of it back; moved away, a new one is begun without its labels.`,
        {
          cause,
        },
      );
    }
  }

  /** Throws 'no_space' when the disk is full. */
  query(sql: string, params: Record<string, DuckDBValue> = {}): Promise<Record<string, unknown>[]> {
    const result = this.#last
      .then(async () => (await this.#connection.runAndReadAll(sql, params)).getRowObjectsJS())
      .catch((error: unknown) => {
        throw explainWriteError(error, this.#path);
      });
    this.#last = result.catch(() => {});
    return result;
  }

  async close(): Promise<void> {
    await this.#last;
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}
