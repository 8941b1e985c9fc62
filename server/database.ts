/**
 * The database lazyscope.duckdb, which holds the labels that people write, their lists of features and the log of jobs. Everything else in the store is files that
 * commands write; the server is the only writer of this one.
 */
import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LazyscopeError, isLazyscopeError } from '../sae/errors.ts';
import { explainWriteError } from '../sae/store/explainWriteError.ts';
import { makeFolder } from '../sae/store/makeFolder.ts';

const tables = `
  CREATE TABLE IF NOT EXISTS labels (
    run VARCHAR, seed INTEGER, latent INTEGER, label VARCHAR, note VARCHAR, "updatedAt" VARCHAR,
    PRIMARY KEY (run, seed, latent)
  );
  -- A table of its own, so that versions that know only "labels" go on reading and writing the file. An origin counts while its time is the label's.
  CREATE TABLE IF NOT EXISTS "labelOrigins" (
    run VARCHAR, seed INTEGER, latent INTEGER, "updatedAt" VARCHAR, source VARCHAR,
    PRIMARY KEY (run, seed, latent)
  );
  CREATE TABLE IF NOT EXISTS lists (name VARCHAR PRIMARY KEY, note VARCHAR, "createdAt" VARCHAR);
  CREATE TABLE IF NOT EXISTS "listedFeatures" (
    list VARCHAR, run VARCHAR, seed INTEGER, latent INTEGER, "addedAt" VARCHAR,
    PRIMARY KEY (list, run, seed, latent)
  );
  CREATE TABLE IF NOT EXISTS jobs (
    id VARCHAR PRIMARY KEY, kind VARCHAR, options VARCHAR, command VARCHAR, status VARCHAR,
    "createdAt" VARCHAR, "startedAt" VARCHAR, "finishedAt" VARCHAR, "exitCode" INTEGER,
    error VARCHAR, log VARCHAR, result VARCHAR
  );
  CREATE TABLE IF NOT EXISTS job_processes (job VARCHAR PRIMARY KEY, pid INTEGER);`;

/** The path of a database that lasts as long as it is open. */
export const inMemory = ':memory:';

/** A statement with the values of its parameters. */
export interface Statement {
  sql: string;
  params: Record<string, DuckDBValue>;
}

/** What labels and lists are kept in. */
export interface LabelDatabase {
  /** Another number whenever somebody else has changed what is there. */
  readonly generation: number;
  query: Database['query'];
  transaction: Database['transaction'];
}

export class Database implements LabelDatabase {
  /** This server is the only writer. */
  readonly generation = 0;
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
    if (path === inMemory) return Database.#connect(path);
    if (path.includes('?'))
      throw new LazyscopeError(
        'bad_input',
        `'${path}' has a '?' in it, which DuckDB takes for the beginning of parameters: choose a data folder without one.`,
      );
    makeFolder(dirname(path));
    // A full disk leaves an empty file, which DuckDB would refuse ever after.
    if (statSync(path, { throwIfNoEntry: false })?.size === 0) await rm(path);
    try {
      return await Database.#connect(path);
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : '';
      if (/lock/i.test(said))
        throw new LazyscopeError(
          'conflict',
          `'${path}' is open in another process, such as 'lazyscope serve' on this folder: stop that, or give another --data folder.`,
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

  static async #connect(path: string): Promise<Database> {
    const instance = await DuckDBInstance.create(path);
    const connection = await instance.connect();
    await connection.run(tables);
    return new Database(path, instance, connection);
  }

  /** Throws 'no_space' when the disk is full. */
  query(sql: string, params: Record<string, DuckDBValue> = {}): Promise<Record<string, unknown>[]> {
    return this.#inTurn(async () => (await this.#connection.runAndReadAll(sql, params)).getRowObjectsJS());
  }

  /** Runs all statements or, when one of them fails, none. Throws as `query` does. */
  transaction(statements: readonly Statement[]): Promise<void> {
    return this.#inTurn(async () => {
      await this.#connection.run('BEGIN TRANSACTION');
      try {
        for (const { sql, params } of statements) await this.#connection.run(sql, params);
        await this.#connection.run('COMMIT');
      } catch (error) {
        await this.#connection.run('ROLLBACK').catch(() => {});
        throw error;
      }
    });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work).catch((error: unknown) => {
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
