/**
 * Training rows straight from a model: the contexts of a text in order, without those held out, are run as they are needed.
 * Their rows fill a buffer, which is given in a random order and then filled anew. Where reading stands is a few numbers: with
 * them the buffer is computed again, to the same bits, so a checkpoint need not hold it.
 */
import { isLazyscopeError, LazyscopeError } from '../errors.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import type { Batch } from '../ops/fusedKernels.ts';
import type { DeviceOfRows, RowStores, StoredRows } from '../ops/rowStore.ts';
import { silent, type Report } from '../progress.ts';
import type { ShardType } from '../spec/shardTypes.ts';
import type { SeparatorPlace } from '../tokens/packTokens.ts';
import type { TextSource } from '../tokens/text/openText.ts';
import { activationRows, activationTensor, passTokens, type ContextPass } from './activationRows.ts';
import { DeviceRows, HostRows, type RowMemory } from './rowMemory.ts';
import { refuseUnstorable } from './shardWriter.ts';
import { ShuffleBuffer } from './shuffleBuffer.ts';
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
  /**
   * Where rows stay on the device that computes them; they are kept in memory of the host when it is left out, and where the device has no memory for
   * the first buffer of them.
   */
  stores?: RowStores | undefined;
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
  #stores: RowStores | undefined;
  #contextsPerFill: number;
  #state: ModelBatchesState;
  /** Fillings in memory, the current one first. */
  #fills: ShuffleBuffer[] = [];
  /** Memory of fillings that are done with. */
  #free: RowMemory[] = [];
  #contexts: { epoch: number; next: number; source: TrainingContexts } | undefined;

  constructor(options: ModelBatchesOptions) {
    const { model, hook, batchSize, contextLength, firstPosition, bufferTokens, seed } = options;
    this.d = model.width(hook);
    this.batchSize = batchSize;
    this.#options = options;
    this.#stores = options.stores;
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
    /** Rows of fillings since the text began, to notice a text without any; −1 where its beginning wasn't read. */
    let ofEpoch = -1;
    while (this.#available() < rows) {
      const last = this.#fills.at(-1);
      const { epoch, fill } = last ? after(last) : this.#state;
      if (last?.isWholeEpoch) {
        if (last.rows === 0) throw this.#nothing();
        this.#fills.push(last.again(epoch, this.#state.seed));
        continue;
      }
      if (fill === 0) {
        if (ofEpoch === 0) throw this.#nothing();
        ofEpoch = 0;
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
    let at = 0;
    for (const { memory, places } of this.#take()) {
      memory.read(places, out, at);
      at += places.length * this.d;
    }
    return out;
  }

  /** The next rows without a way by the host; null where they are there, or on another device than the one of these. They must be `ready`. */
  batches(scale: number, devices: readonly DeviceOfRows[]): Batch[] | null {
    const stores = this.#stores;
    if (!stores || devices.length !== 1 || stores !== devices[0].rowStores) return null;
    const parts = this.#take().map(({ memory, places }): StoredRows => {
      if (!(memory instanceof DeviceRows))
        throw new TypeError('Rows of the device are in memory of the host.');
      return { store: memory.store, places };
    });
    return [stores.batch(parts, this.d, scale)];
  }

  /** Where the next batchSize rows are; goes on behind them. */
  #take(): { memory: RowMemory; places: Int32Array }[] {
    const parts: { memory: RowMemory; places: Int32Array }[] = [];
    for (let taken = 0; taken < this.batchSize;) {
      let current = this.#current;
      while (current && this.#state.position === current.rows) {
        const excluded = this.#state.excluded + current.excluded;
        const given = this.#state.given + current.rows;
        this.#state = { ...this.#state, ...after(current), position: 0, excluded, given };
        current = this.#current;
      }
      if (!current) throw new Error('rows were asked for that are not ready');
      const { position } = this.#state;
      const count = Math.min(this.batchSize - taken, current.rows - position);
      parts.push({ memory: current.memory, places: current.places(position, count) });
      this.#state = { ...this.#state, position: position + count };
      taken += count;
    }
    return parts;
  }

  state(): ModelBatchesState {
    return { ...this.#state };
  }

  restore(state: Pick<ModelBatchesState, 'seed' | 'epoch' | 'position'> & Partial<ModelBatchesState>): void {
    const { fill = 0, excluded = 0, given = 0 } = state;
    this.#state = { ...state, fill, excluded, given };
    if (!this.#current?.has(state.position)) this.#forget();
  }

  /** Stops reading the text, and frees the buffer. */
  async close(): Promise<void> {
    await this.#contexts?.source.close();
    this.#contexts = undefined;
    this.#forget();
    for (const memory of this.#free.splice(0)) memory.dispose();
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
      if (!done.isWholeEpoch) {
        this.#release(done.keepRest(done.rows));
        done.memory.dispose();
      }
  }

  #forget(): void {
    // Epochs of one filling share its memory.
    for (const memory of new Set(this.#fills.map((fill) => fill.memory))) memory.dispose();
    this.#fills = [];
  }

  #release(memory: RowMemory | null): void {
    if (!memory) return;
    if (memory.rows === this.#capacity && this.#free.length === 0) this.#free.push(memory);
    else memory.dispose();
  }

  /** Rows of a filling, at most. */
  get #capacity(): number {
    const { contextLength, firstPosition } = this.#options;
    return this.#contextsPerFill * (contextLength - firstPosition);
  }

  #newMemory(): RowMemory {
    const { dtype } = this.#options;
    const rows = this.#capacity;
    try {
      if (this.#stores) return new DeviceRows(rows, this.#stores.open(rows, this.d, dtype));
    } catch (error) {
      // Fillings that are there already are on the device.
      if (!isLazyscopeError(error) || error.code !== 'unavailable' || this.#fills.length > 0) throw error;
      this.#stores = undefined;
    }
    return new HostRows(rows, this.d, dtype);
  }

  /** Undefined when the signal fires. */
  async #load(epoch: number, fill: number): Promise<ShuffleBuffer | undefined> {
    const { model, hook, contextLength, firstPosition, seed, signal } = this.#options;
    const { report = silent } = this.#options;
    const contexts = await this.#contextsOf(epoch, fill);
    if (!contexts) return undefined;
    const { tokens, isLast } = contexts;
    const { rowsWanted = Infinity } = this.#options;
    const wanted = this.#fills.reduce((sum, one) => sum - one.rows, rowsWanted - this.#state.given);
    const memory = this.#free.pop() ?? this.#newMemory();
    const atOnce = Math.max(1, Math.floor(passTokens / contextLength)) * contextLength;
    /** Tokens to run, if none of their rows is left out. */
    const expected = Math.ceil(wanted / (contextLength - firstPosition)) * contextLength;
    /** Tokens that were run. */
    let run = 0;
    let rows = 0;
    let excluded = 0;
    for (let from = 0; from < tokens.length; from += atOnce) {
      if (signal?.aborted) {
        this.#release(memory);
        return undefined;
      }
      const some = tokens.subarray(from, from + atOnce);
      const pass = { model, hooks: [hook], tokens: some, contextLength, firstPosition };
      const stored = await this.#store(pass, memory, rows);
      rows += stored.rows;
      excluded += stored.excluded;
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
    return new ShuffleBuffer(filling, memory, seed);
  }

  /** Stores the rows of a pass that are not left out, from `place` on. */
  async #store(
    pass: ContextPass,
    memory: RowMemory,
    place: number,
  ): Promise<{ rows: number; excluded: number }> {
    const { hook, contextLength, firstPosition, dtype, leftOut } = this.#options;
    const { tokens } = pass;
    const isOut = (context: number, position: number, norm: number) =>
      isLeftOut({ norm, position, token: tokens[context * contextLength + position] }, leftOut);
    if (memory instanceof DeviceRows) {
      let kept = new Int32Array(0);
      await activationTensor(pass, async (activations) => {
        const norms = await memory.store.norms(activations);
        // What the type doesn't hold has no finite norm; it is named on the host.
        if (!norms.every(Number.isFinite)) refuseUnstorable(activations.dataSync<'float32'>(), dtype, hook);
        kept = Int32Array.from(norms.keys()).filter((row) => {
          const position = row % contextLength;
          return position >= firstPosition && !isOut(Math.floor(row / contextLength), position, norms[row]);
        });
        memory.store.put(activations, kept, place);
      });
      const all = (tokens.length / contextLength) * (contextLength - firstPosition);
      return { rows: kept.length, excluded: all - kept.length };
    }
    if (!(memory instanceof HostRows))
      throw new TypeError('Rows are in memory of the host or of the device.');
    let [rows, excluded] = [0, 0];
    await activationRows(pass, (_, activations, context) => {
      refuseUnstorable(activations, dtype, hook);
      for (let at = 0; at < contextLength - firstPosition; at++) {
        const norm = memory.put(activations.subarray(at * this.d, (at + 1) * this.d), place + rows);
        if (isOut(context, firstPosition + at, norm)) excluded++;
        else rows++;
      }
    });
    return { rows, excluded };
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
  { norm, position, token }: { norm: number; position: number; token: number },
  filter: RowFilter,
): boolean {
  if (position < filter.position || filter.tokens.has(token)) return true;
  return filter.norm !== null && norm > filter.norm;
}
