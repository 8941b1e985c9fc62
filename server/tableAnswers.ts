/**
 * Answers that are whole tables. A reader that takes its answer slowly keeps the table in memory until it has it, so there is a
 * budget for all of them together, and a reader that takes nothing for a minute loses its answer.
 */
import { LazyscopeError } from '../sae/errors.ts';

/** Bytes of tables that readers have not taken yet, above which no other table is made. */
const mostWaiting = 256 << 20;
/** Bytes that are handed over at once. */
const pieceBytes = 256 << 10;
/** Milliseconds in which a reader must take a piece. */
const patience = 60_000;

export class TableAnswers {
  #waiting = 0;
  readonly #most: number;
  readonly #patience: number;
  /** The table before, for which the next one waits: tables are made one at a time, so that the budget is known. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: { most?: number; patience?: number } = {}) {
    this.#most = options.most ?? mostWaiting;
    this.#patience = options.patience ?? patience;
  }

  /** Bytes of tables that readers have not taken yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Makes the table and hands it over as the reader takes it. Throws 'unavailable' while others have not taken theirs, and what `make` throws. */
  answer(make: () => Promise<Uint8Array>): Promise<ReadableStream<Uint8Array>> {
    const made = this.#last.then(async () => {
      if (this.#waiting >= this.#most)
        throw new LazyscopeError(
          'unavailable',
          'Too many tables wait for their readers: take them, or ask again in a moment.',
        );
      return this.#stream(await make());
    });
    this.#last = made.catch(() => {});
    return made;
  }

  #stream(table: Uint8Array): ReadableStream<Uint8Array> {
    this.#waiting += table.length;
    let at = 0;
    let timer: NodeJS.Timeout | undefined;
    const end = () => {
      clearTimeout(timer);
      this.#waiting -= table.length - at;
      at = table.length;
    };
    return new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          clearTimeout(timer);
          if (at === table.length) return controller.close();
          const piece = table.subarray(at, at + pieceBytes);
          controller.enqueue(piece);
          at += piece.length;
          this.#waiting -= piece.length;
          timer = setTimeout(() => {
            end();
            controller.error(new Error('the reader took nothing for too long'));
          }, this.#patience);
          timer.unref();
        },
        cancel: end,
      },
      { highWaterMark: 0 },
    );
  }
}
