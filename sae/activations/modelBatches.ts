/**
 * Training rows straight from a model: the contexts of a text in order, without those held out, are run as they are needed.
 * Their rows fill a buffer, which is given in a random order and then filled anew. Where reading stands is a few numbers: with
 * them the buffer is computed again, to the same bits, so a checkpoint need not hold it.
 */
import { LazyscopeError } from '../errors.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { silent, type Report } from '../progress.ts';
import type { ShardType } from '../spec/shardTypes.ts';
import type { SeparatorPlace } from '../tokens/packTokens.ts';
import type { TextSource } from '../tokens/text/openText.ts';
import { activationRows, passTokens } from './activationRows.ts';
import { refuseUnstorable } from './shardWriter.ts';
import { rowValues, ShuffleBuffer, storedNorm, storeRow, type RowValues } from './shuffleBuffer.ts';
import { TrainingContexts } from './trainingContexts.ts';

/** Rows that are read and left out. */
export interface RowFilter {
  /** Positions before this one. */
  position: number;
  /** The largest norm that is kept; null keeps all. */
  norm: number | null;
  /** Tokens whose rows are left out. */
  tokens: ReadonlySet<number>;
}

export interface ModelBatchesOptions {
  model: LanguageModel;
  hook: HookPoint;
  text: TextSource;
  contextLength: number;
  firstPosition: number;
  before: SeparatorPlace;
  /** As a capture of this type rounds them. */
  dtype: ShardType;
  /** Most rows in the buffer; at least those of one context. */
  bufferTokens: number;
  batchSize: number;
  seed: number;
  /** Numbers of the contexts that are not trained on. */
  heldOut: ReadonlySet<number>;
  leftOut: RowFilter;
  /** Rows that will be asked for, so that the last filling is no larger than it needs to be. */
  rowsWanted?: number;
  report?: Report;
  signal?: AbortSignal | undefined;
}

/** Where reading stands. The text's position is `fill` fillings of the buffer after the beginning of the text. */
export interface ModelBatchesState {
  seed: number;
  /** Times that the text has been read through. */
  epoch: number;
  /** Rows of this filling that were already returned. */
  position: number;
  fill: number;
  /** Rows left out before this filling. */
  excluded: number;
  /** Rows given before this filling. */
  given: number;
}

export class ModelBatches {
  readonly d: number;
  readonly batchSize: number;
  #options: ModelBatchesOptions;
  #contextsPerFill: number;
  #state: ModelBatchesState;
  /** Fillings in memory, the current one first. */
  #fills: ShuffleBuffer[] = [];
  /** Memory of fillings that are done with. */
  #free: RowValues[] = [];
  #contexts: { epoch: number; next: number; source: TrainingContexts } | undefined;

  constructor(options: ModelBatchesOptions) {
    const { model, hook, batchSize, contextLength, firstPosition, bufferTokens, seed } = options;
    this.d = model.width(hook);
    this.batchSize = batchSize;
    this.#options = options;
    this.#contextsPerFill = Math.max(1, Math.floor(bufferTokens / (contextLength - firstPosition)));
    this.#state = { seed, epoch: 0, position: 0, fill: 0, excluded: 0, given: 0 };
  }

  /** Rows left out so far. */
  get excluded(): number {
    return this.#state.excluded + (this.#current?.excluded ?? 0);
  }

  get #current(): ShuffleBuffer | undefined {
    const { epoch, fill } = this.#state;
    return this.#fills.find((one) => one.epoch === epoch && one.fill === fill);
  }

  /**
   * Computes until at least `rows` rows can be had without computing, or until the signal fires. Throws `bad_input` when the
   * text, or what is not left out of it, holds no row to train on, and as reading does.
   */
  async ready(rows: number): Promise<void> {
    this.#drop();
    /** Rows of fillings since the text began, to notice a text without any. */
    let ofEpoch = -1;
    while (this.#available() < rows) {
      const last = this.#fills.at(-1);
      const { epoch, fill } = last ? after(last) : this.#state;
      if (fill === 0) {
        if (ofEpoch === 0) throw this.#nothing();
        ofEpoch = 0;
      }
      if (last?.isWholeEpoch) {
        if (last.rows === 0) throw this.#nothing();
        this.#fills.push(last.again(epoch, this.#state.seed));
        continue;
      }
      for (const [i, one] of this.#fills.entries())
        this.#release(one.keepRest(i === 0 ? this.#state.position : 0));
      const filled = await this.#load(epoch, fill);
      if (!filled) return;
      this.#fills.push(filled);
      if (ofEpoch >= 0) ofEpoch += filled.rows;
    }
  }

  /** The next batchSize rows [batchSize × d]. They must be `ready`. */
  next(): Float32Array {
    const out = new Float32Array(this.batchSize * this.d);
    for (let i = 0; i < this.batchSize; i++) {
      let current = this.#current;
      while (current && this.#state.position === current.rows) {
        const excluded = this.#state.excluded + current.excluded;
        const given = this.#state.given + current.rows;
        this.#state = { ...this.#state, ...after(current), position: 0, excluded, given };
        current = this.#current;
      }
      if (!current) throw new Error('rows were asked for that are not ready');
      current.copy(this.#state.position++, out, i * this.d);
    }
    return out;
  }

  state(): ModelBatchesState {
    return { ...this.#state };
  }

  restore(state: Pick<ModelBatchesState, 'seed' | 'epoch' | 'position'> & Partial<ModelBatchesState>): void {
    const { fill = 0, excluded = 0, given = 0 } = state;
    this.#state = { ...state, fill, excluded, given };
    if (!this.#current?.has(state.position)) this.#fills = [];
  }

  /** Stops reading the text, and frees the buffer. */
  async close(): Promise<void> {
    await this.#contexts?.source.close();
    this.#contexts = undefined;
    this.#fills = [];
    this.#free = [];
  }

  #available(): number {
    if (!this.#current) return 0;
    return this.#fills.reduce((sum, { rows }) => sum + rows, -this.#state.position);
  }

  /** Forgets fillings before the current one. */
  #drop(): void {
    const current = this.#current;
    if (!current) return;
    // Where an epoch has one filling, the next one shares its memory.
    for (const done of this.#fills.splice(0, this.#fills.indexOf(current)))
      if (!done.isWholeEpoch) this.#release(done.keepRest(done.rows));
  }

  #release(values: RowValues): void {
    if (values.length === this.#capacity) this.#free = [values];
  }

  get #capacity(): number {
    const { contextLength, firstPosition } = this.#options;
    return this.#contextsPerFill * (contextLength - firstPosition) * this.d;
  }

  /** Undefined when the signal fires. */
  async #load(epoch: number, fill: number): Promise<ShuffleBuffer | undefined> {
    const { model, hook, contextLength, firstPosition, dtype, seed, leftOut, signal } = this.#options;
    const { report = silent } = this.#options;
    const contexts = await this.#contextsOf(epoch, fill);
    if (!contexts) return undefined;
    const { tokens, isLast } = contexts;
    const { rowsWanted = Infinity } = this.#options;
    const wanted = this.#fills.reduce((sum, one) => sum - one.rows, rowsWanted - this.#state.given);
    const values = this.#free.pop() ?? rowValues(dtype, this.#capacity);
    const atOnce = Math.max(1, Math.floor(passTokens / contextLength)) * contextLength;
    /** Tokens to run, if none of their rows is left out. */
    const expected = Math.ceil(wanted / (contextLength - firstPosition)) * contextLength;
    /** Tokens that were run. */
    let run = 0;
    let rows = 0;
    let excluded = 0;
    for (let from = 0; from < tokens.length; from += atOnce) {
      if (signal?.aborted) return undefined;
      const some = tokens.subarray(from, from + atOnce);
      await activationRows(
        { model, hooks: [hook], tokens: some, contextLength, firstPosition },
        (_, activations, context) => {
          refuseUnstorable(activations, dtype, hook);
          for (let at = 0; at < contextLength - firstPosition; at++) {
            const position = firstPosition + at;
            const token = some[context * contextLength + position];
            const stored = values.subarray(rows * this.d, (rows + 1) * this.d);
            storeRow(activations.subarray(at * this.d, (at + 1) * this.d), stored);
            if (isLeftOut({ stored, position, token }, leftOut)) excluded++;
            else rows++;
          }
        },
      );
      report({
        stage: 'compute activations',
        done: from + some.length,
        total: Math.max(from + some.length, Math.min(tokens.length, expected)),
        unit: 'tokens',
      });
      // Lets a signal or a timer through between two forward passes, which block.
      await new Promise((next) => setImmediate(next));
      run += some.length;
      if (rows >= wanted) break;
    }
    const filling = { epoch, fill, rows, excluded, isLast, isWhole: run === tokens.length };
    return new ShuffleBuffer(filling, values, { d: this.d, seed });
  }

  /** The contexts of a filling. Reading goes on where it stands, or begins anew. */
  async #contextsOf(epoch: number, fill: number) {
    const { signal } = this.#options;
    let at = this.#contexts;
    if (at?.epoch !== epoch || at.next !== fill) {
      await at?.source.close();
      at = this.#contexts = { epoch, next: 0, source: new TrainingContexts(this.#options) };
      for (; at.next < fill; at.next++) {
        if (signal?.aborted) return undefined;
        await at.source.take(this.#contextsPerFill);
      }
    }
    const taken = await at.source.take(this.#contextsPerFill);
    at.next++;
    if (taken.tokens.length === 0) throw this.#nothing();
    return taken;
  }

  #nothing(): LazyscopeError {
    const { text, contextLength } = this.#options;
    return new LazyscopeError(
      'bad_input',
      `'${text.source}' leaves no row to train on at ${contextLength} tokens a context: give more text, shorter contexts, or leave out fewer rows.`,
    );
  }
}

/** Which filling comes after one. */
function after({ epoch, fill, isLast }: ShuffleBuffer): { epoch: number; fill: number } {
  return isLast ? { epoch: epoch + 1, fill: 0 } : { epoch, fill: fill + 1 };
}

/** Whether a row is left out, by the norm that it has as it is stored. */
function isLeftOut(
  { stored, position, token }: { stored: RowValues; position: number; token: number },
  filter: RowFilter,
): boolean {
  if (position < filter.position || filter.tokens.has(token)) return true;
  return filter.norm !== null && storedNorm(stored) > filter.norm;
}
