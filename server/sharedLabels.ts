/**
 * Labels and lists of a store that several servers write: one document, labels.json, which is written under the condition that it is still the one that
 * this server knows. Where another one was faster, its document is taken in and the change made again on it, so that neither loses anything.
 * What is asked is answered from a database in memory that has what the document has.
 */
import { LazyscopeError } from '../sae/errors.ts';
import { publishedLabelsKind, type PublishedLabels } from '../sae/spec/manifests/publishedLabels.ts';
import { parseManifest } from '../sae/store/readManifest.ts';
import type { SharedObject } from '../sae/store/remote/s3/sharedObject.ts';
import { type Database, type LabelDatabase, type Statement } from './database.ts';
import { fillDatabase, labelsOfDatabase } from './publishedLabels.ts';

const attempts = 20;
const nothing: PublishedLabels = { version: 1, labels: [], lists: [], listed: [] };

export class SharedLabels implements LabelDatabase {
  generation = 0;
  readonly #database: Database;
  readonly #document: SharedObject;
  /** What the document is, as far as this server knows. */
  #known: { version: string | undefined; labels: PublishedLabels } = { version: undefined, labels: nothing };
  #last: Promise<unknown> = Promise.resolve();
  readonly #timer: NodeJS.Timeout;

  private constructor(database: Database, document: SharedObject, askEvery: number) {
    this.#database = database;
    this.#document = document;
    // Whoever asks next is told what is wrong.
    this.#timer = setInterval(() => void this.refresh().catch(() => {}), askEvery).unref();
  }

  /** Into a database in memory without labels. Throws as reading the document does, 'corrupt' for one that is no list of labels. */
  static async open(database: Database, document: SharedObject, askEvery = 10_000): Promise<SharedLabels> {
    const labels = new SharedLabels(database, document, askEvery);
    try {
      await labels.refresh();
      return labels;
    } catch (error) {
      labels.close();
      throw error;
    }
  }

  query(...query: Parameters<Database['query']>): ReturnType<Database['query']> {
    return this.#database.query(...query);
  }

  /** Runs all statements, which must say the same on whatever others have written meanwhile. Throws 'unavailable', and 'conflict' where others are faster again and again. */
  transaction(statements: readonly Statement[]): Promise<void> {
    return this.#inTurn(async () => {
      for (let attempt = 0; attempt < attempts; attempt++) {
        await this.#takeIn();
        if (await this.#write(statements)) return;
      }
      throw new LazyscopeError(
        'conflict',
        `'${this.#document.shown}' is written by others again and again: try again later.`,
      );
    });
  }

  /** Takes in what others have written. */
  refresh(): Promise<void> {
    return this.#inTurn(() => this.#takeIn());
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #write(statements: readonly Statement[]): Promise<boolean> {
    await this.#database.transaction(statements);
    const labels = await labelsOfDatabase(this.#database);
    try {
      const version = await this.#document.write(JSON.stringify(labels), this.#known.version);
      if (version === undefined) return false;
      this.#known = { version, labels };
      return true;
    } catch (error) {
      // What isn't kept isn't shown. It may have been kept all the same: then it comes back with the next question.
      await this.#show(this.#known.labels);
      throw error;
    }
  }

  async #takeIn(): Promise<void> {
    if ((await this.#document.version()) === this.#known.version && this.generation > 0) return;
    const found = await this.#document.read();
    const labels = found ? parseManifest(found.text, this.#document.shown, publishedLabelsKind) : nothing;
    await this.#show(labels);
    this.#known = { version: found?.version, labels };
  }

  async #show(labels: PublishedLabels): Promise<void> {
    await fillDatabase(this.#database, labels);
    this.generation++;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}
