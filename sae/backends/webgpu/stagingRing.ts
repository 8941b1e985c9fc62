/**
 * Memory of the host through which tensors go to the device. The pieces are used again and again, because a driver takes milliseconds
 * to make some megabytes that the device can read, and WebGPU fills them with zeros each time. No more than `most` bytes exist: a tensor
 * that is larger goes in several pieces, and waits for the device where all are on their way.
 */

/** Sizes of pieces are powers of two up to this. */
const largestPiece = 2 ** 24;
const smallestPiece = 2 ** 16;
const most = 2 ** 27;

/** What the ring needs of the queue that its copies are recorded for. */
export interface StagingQueue {
  /** Records a copy of `bytes` from the start of a piece to a place of the tensor's memory. */
  copy(from: GPUBuffer, to: GPUBuffer, at: number, bytes: number): void;
  /** Submits what is recorded; the ring is told by `submitted`. */
  submit(): void;
  /** Blocks until `done`. */
  waitUntil(done: () => boolean): void;
  /** Throws if the device is lost or has reported an error. */
  check(): void;
}

export class StagingRing {
  readonly #device: GPUDevice;
  readonly #queue: StagingQueue;
  /** Pieces that can be written, those that recorded commands read, and those that submitted ones do. */
  #free: GPUBuffer[] = [];
  #recorded: GPUBuffer[] = [];
  #onTheirWay: GPUBuffer[] = [];
  /** Of all pieces together. */
  bytes = 0;

  constructor(device: GPUDevice, queue: StagingQueue) {
    this.#device = device;
    this.#queue = queue;
  }

  /** Records the copy of numbers to byte `at` of `to`; bytes and `at` are multiples of 4. The numbers can be changed when this returns. */
  upload(values: ArrayBufferView, to: GPUBuffer, at = 0): void {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    for (let first = 0; first < bytes.length; first += largestPiece) {
      const part = bytes.subarray(first, first + largestPiece);
      const piece = this.#take(part.length);
      new Uint8Array(piece.getMappedRange(), 0, part.length).set(part);
      piece.unmap();
      this.#queue.copy(piece, to, at + first, part.length);
      this.#recorded.push(piece);
    }
  }

  /** To be called after every submission: the device will tell when the pieces can be written again. */
  submitted(): void {
    for (const piece of this.#recorded) piece.mapAsync(GPUMapMode.WRITE).catch(() => {});
    this.#onTheirWay.push(...this.#recorded);
    this.#recorded = [];
  }

  #take(bytes: number): GPUBuffer {
    const size = 2 ** Math.ceil(Math.log2(Math.max(smallestPiece, bytes)));
    for (;;) {
      this.#collect();
      const at = this.#free.findIndex((piece) => piece.size === size);
      if (at >= 0) return this.#free.splice(at, 1)[0];
      while (this.bytes + size > most && this.#free.length > 0) this.#drop(this.#free.shift());
      if (this.bytes + size <= most) return this.#make(size);
      if (this.#recorded.length > 0) this.#queue.submit();
      const [oldest] = this.#onTheirWay;
      this.#queue.waitUntil(() => oldest.mapState !== 'pending');
      this.#queue.check();
    }
  }

  #make(size: number): GPUBuffer {
    this.bytes += size;
    const usage = GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC;
    return this.#device.createBuffer({ size, usage, mappedAtCreation: true });
  }

  #drop(piece: GPUBuffer | undefined): void {
    if (!piece) return;
    this.bytes -= piece.size;
    piece.destroy();
  }

  #collect(): void {
    this.#free.push(...this.#onTheirWay.filter(({ mapState }) => mapState === 'mapped'));
    for (const piece of this.#onTheirWay) if (piece.mapState === 'unmapped') this.#drop(piece);
    this.#onTheirWay = this.#onTheirWay.filter(({ mapState }) => mapState === 'pending');
  }
}
