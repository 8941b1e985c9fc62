/**
 * The objects of a bucket, by their keys below a prefix: listed, read in ranges, and written under a condition, which is how two writers see one
 * another. Loaded only where a store lies in S3.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { LazyscopeError } from '../../../errors.ts';
import type { BucketAddress } from './bucketAddress.ts';
import { explainBucketError, ObjectChanged, ObjectMissing, Passing } from './bucketErrors.ts';
import { hashOf, streamOf } from './openFile.ts';
import { persistently, type Patience } from './persistently.ts';

export interface BucketOptions extends Patience {
  /** The server, such as http://127.0.0.1:9000; Amazon's when absent. */
  endpoint?: string | undefined;
  region?: string | undefined;
  /** Bytes from which on an object is sent in parts, and of a part; 64 MiB when absent. */
  partBytes?: number;
}

export interface ObjectFacts {
  bytes: number;
  /** Another one whenever the content is another. */
  etag: string;
  /** As the one who wrote it said; absent of objects that other tools wrote. */
  sha256: string | undefined;
  /** Milliseconds since 1970, by the server's clock. */
  modified: number;
}

/** What an object must be for it to be written: of this tag, or not there. */
export type Condition = { etag: string } | 'absent';

/** Bytes of an open file, from its beginning. */
export interface FileToSend {
  fd: number;
  bytes: number;
  sha256: string;
}

/** A server takes ten thousand parts of one object. */
const mostParts = 10_000;
const partsAtOnce = 4;

/** What keys begin with that are written to see what the server does, and removed. */
export const triedKeys = '.condition-';

const silentLogger = { debug() {}, info() {}, warn() {}, error() {} };

export class Bucket {
  readonly address: BucketAddress;
  /** The name of the server, for messages. */
  readonly server: string;
  readonly #client: S3Client;
  readonly #options: BucketOptions;
  /** Milliseconds by which the server's clock is ahead of this machine's. */
  #ahead = 0;

  constructor(address: BucketAddress, options: BucketOptions = {}) {
    const { endpoint, region, patience = 60_000 } = options;
    if (endpoint !== undefined && !/^https?:\/\/[^@/?#]+\/?$/.test(endpoint))
      throw new LazyscopeError(
        'bad_input',
        'AWS_ENDPOINT_URL is not the address of a server: give it as https://host:port.',
      );
    this.address = address;
    this.server = endpoint === undefined ? 'Amazon S3' : new URL(endpoint).host;
    this.#options = options;
    this.#client = new S3Client({
      ...(endpoint === undefined
        ? { followRegionRedirects: true }
        : // Other servers than Amazon's seldom have a name for each bucket.
          { endpoint, forcePathStyle: true }),
      ...(region === undefined ? (endpoint === undefined ? {} : { region: 'us-east-1' }) : { region }),
      // Attempts are counted here, since a file that was half sent must be begun anew.
      maxAttempts: 1,
      // Checksums are given below; those that the client adds by itself, not every server knows.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: 10_000, socketTimeout: patience },
      // Without a logger the client writes lines of its own to the console; what they say is in the errors.
      logger: silentLogger,
    });
    this.#client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        const date = Date.parse(headerOf(result.response, 'date') ?? '');
        if (!Number.isNaN(date)) this.#ahead = date - Date.now();
        return result;
      },
      { step: 'deserialize', name: 'readClock', priority: 'low' },
    );
  }

  /** Milliseconds since 1970, by the server's clock as it was with the last answer. */
  get now(): number {
    return Date.now() + this.#ahead;
  }

  close(): void {
    this.#client.destroy();
  }

  /** The address of an object, for messages; the store's where the object is nothing that a user knows of. */
  shown(key: string): string {
    return key === '' || key.startsWith(triedKeys) ? this.address.url : `${this.address.url}/${key}`;
  }

  /** Key, size and tag of every object below the prefix whose key begins with `below`. Throws `not_found` where there is no bucket, `unavailable`, `cancelled`. */
  async list(below = ''): Promise<{ key: string; bytes: number; etag: string }[]> {
    const { bucket, prefix } = this.address;
    const found: { key: string; bytes: number; etag: string }[] = [];
    let next: string | undefined;
    do {
      const page = await this.#ask('', this.#options.signal, () =>
        this.#client.send(
          new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}${below}`, ContinuationToken: next }),
        ),
      );
      for (const { Key, Size, ETag } of page.Contents ?? [])
        if (Key?.startsWith(prefix) && Size !== undefined && ETag !== undefined)
          found.push({ key: Key.slice(prefix.length), bytes: Size, etag: bare(ETag) });
      next = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (next !== undefined);
    return found;
  }

  /** Undefined where there is none. */
  async head(key: string): Promise<ObjectFacts | undefined> {
    return this.#unlessMissing(() =>
      this.#ask(key, undefined, async () =>
        factsOf(await this.#client.send(new HeadObjectCommand(this.#place(key)))),
      ),
    );
  }

  /** A small object, whole. Undefined where there is none. */
  async text(key: string): Promise<(ObjectFacts & { text: string }) | undefined> {
    return this.#unlessMissing(() =>
      this.#ask(key, undefined, async () => {
        const answer = await this.#client.send(new GetObjectCommand(this.#place(key)));
        return { ...factsOf(answer), text: (await answer.Body?.transformToString()) ?? '' };
      }),
    );
  }

  /**
   * One attempt at the bytes from `from` on, of the object with this tag where one is given. `begin` is told what the object is before the first of
   * them. Throws `Passing` where it broke off, `ObjectMissing`, `ObjectChanged`, and what is thrown by those that it calls.
   */
  async read(
    key: string,
    { from, etag }: { from: number; etag?: string | undefined },
    to: {
      begin: (facts: ObjectFacts) => void | Promise<void>;
      take: (chunk: Uint8Array) => void | Promise<void>;
    },
  ): Promise<void> {
    const { patience = 60_000, signal } = this.#options;
    const silence = new AbortController();
    const heard = setTimeout(() => silence.abort(), patience);
    try {
      const answer = await this.#client.send(
        new GetObjectCommand({
          ...this.#place(key),
          ...(from > 0 && { Range: `bytes=${from}-` }),
          ...(etag !== undefined && { IfMatch: `"${etag}"` }),
        }),
        { abortSignal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal },
      );
      const facts = factsOf(answer);
      const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.ContentRange ?? '') ?? [];
      if (from > 0 && Number(start) !== from)
        throw new LazyscopeError(
          'unavailable',
          `'${this.server}' answered with another range of '${this.shown(key)}' than was asked for: its server has no ranges.`,
        );
      await to.begin({ ...facts, bytes: from > 0 ? Number(total) : facts.bytes });
      if (answer.Body instanceof Readable)
        for await (const chunk of answer.Body) {
          heard.refresh();
          await to.take(chunk as Uint8Array);
        }
    } catch (error) {
      if (isOfDisk(error)) throw error;
      if (silence.signal.aborted)
        throw new Passing(
          new LazyscopeError(
            'unavailable',
            `'${this.server}' sent nothing for ${patience / 1000} s: try again later.`,
            { cause: error },
          ),
        );
      throw explainBucketError(error, this.shown(key), this.server);
    } finally {
      clearTimeout(heard);
      silence.abort();
    }
  }

  /** Writes an object and returns its tag. Throws `ObjectChanged` where the condition doesn't hold, `unavailable`. */
  async put(key: string, content: FileToSend | string, condition: Condition): Promise<string> {
    try {
      return await this.#put(key, content, condition);
    } catch (error) {
      // What should have a tag is not there at all.
      throw error instanceof ObjectMissing ? new ObjectChanged(this.shown(key), { cause: error }) : error;
    }
  }

  #put(key: string, content: FileToSend | string, condition: Condition): Promise<string> {
    if (typeof content === 'string') {
      const bytes = Buffer.from(content);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      return this.#putWhole(key, { bytes: bytes.length, sha256, body: () => bytes }, condition);
    }
    const { fd, bytes, sha256 } = content;
    if (bytes > this.#partBytes(bytes)) return this.#putInParts(key, content, condition);
    return this.#putWhole(key, { bytes, sha256, body: () => streamOf(fd, 0, bytes) }, condition);
  }

  /** Removes an object; nothing where there is none. */
  async remove(key: string): Promise<void> {
    await this.#unlessMissing(() =>
      this.#ask(key, undefined, () => this.#client.send(new DeleteObjectCommand(this.#place(key)))),
    );
  }

  async #putWhole(
    key: string,
    { bytes, sha256, body }: { bytes: number; sha256: string; body: () => Uint8Array | Readable },
    condition: Condition,
  ): Promise<string> {
    const answer = await this.#ask(key, undefined, () => {
      const command = new PutObjectCommand({
        ...this.#place(key),
        Body: bytes === 0 ? new Uint8Array() : body(),
        ContentLength: bytes,
        ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64'),
        Metadata: { sha256 },
        ...headersOf(condition),
      });
      command.middlewareStack.add(signing(sha256), beforeSigning);
      return this.#client.send(command);
    });
    return tagOf(answer.ETag, this.shown(key));
  }

  #partBytes(bytes: number): number {
    return Math.max(this.#options.partBytes ?? 64 << 20, Math.ceil(bytes / mostParts));
  }

  async #putInParts(key: string, { fd, bytes, sha256 }: FileToSend, condition: Condition): Promise<string> {
    const place = this.#place(key);
    const { UploadId } = await this.#ask(key, undefined, () =>
      this.#client.send(new CreateMultipartUploadCommand({ ...place, Metadata: { sha256 } })),
    );
    const size = this.#partBytes(bytes);
    const count = Math.ceil(bytes / size);
    const tags: string[] = [];
    let next = 0;
    const sendInTurn = async () => {
      for (let part = next++; part < count; part = next++) {
        const from = part * size;
        const length = Math.min(size, bytes - from);
        const hash = await hashOf(fd, from, length);
        const answer = await this.#ask(key, undefined, () => {
          const command = new UploadPartCommand({
            ...place,
            UploadId,
            PartNumber: part + 1,
            Body: streamOf(fd, from, length),
            ContentLength: length,
          });
          command.middlewareStack.add(signing(hash), beforeSigning);
          return this.#client.send(command);
        });
        tags[part] = tagOf(answer.ETag, this.shown(key));
      }
    };
    try {
      const ended = await Promise.allSettled(Array.from({ length: partsAtOnce }, sendInTurn));
      const failed = ended.find((one) => one.status === 'rejected');
      if (failed) throw failed.reason;
      const answer = await this.#ask(key, undefined, () =>
        this.#client.send(
          new CompleteMultipartUploadCommand({
            ...place,
            UploadId,
            MultipartUpload: { Parts: tags.map((tag, at) => ({ ETag: `"${tag}"`, PartNumber: at + 1 })) },
            ...headersOf(condition),
          }),
        ),
      );
      return tagOf(answer.ETag, this.shown(key));
    } catch (error) {
      // Parts of an upload that was given up are paid for until they are removed.
      await this.#client.send(new AbortMultipartUploadCommand({ ...place, UploadId })).catch(() => {});
      throw error;
    }
  }

  #place(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.address.bucket, Key: `${this.address.prefix}${key}` };
  }

  #ask<Result>(key: string, signal: AbortSignal | undefined, work: () => Promise<Result>): Promise<Result> {
    return persistently(
      this.#options,
      () =>
        work().catch((error: unknown) => {
          throw explainBucketError(error, this.shown(key), this.server);
        }),
      signal,
    );
  }

  async #unlessMissing<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ObjectMissing) return undefined;
      throw error;
    }
  }
}

/** Signs the content as well, so that the server refuses what changed on its way. */
const signing =
  (sha256: string) =>
  <Args extends { request: unknown }, Result>(next: (args: Args) => Result) =>
  (args: Args): Result => {
    const headers = fieldOf(args.request, 'headers');
    if (typeof headers === 'object' && headers !== null) Reflect.set(headers, 'x-amz-content-sha256', sha256);
    return next(args);
  };
const beforeSigning = { step: 'build', name: 'signContent', priority: 'low' } as const;

function fieldOf(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined;
}

function headerOf(response: unknown, name: string): string | undefined {
  const value = fieldOf(fieldOf(response, 'headers'), name);
  return typeof value === 'string' ? value : undefined;
}

function headersOf(condition: Condition): { IfNoneMatch: string } | { IfMatch: string } {
  return condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: `"${condition.etag}"` };
}

function factsOf(answer: {
  ContentLength?: number | undefined;
  ETag?: string | undefined;
  Metadata?: Record<string, string> | undefined;
  LastModified?: Date | undefined;
}): ObjectFacts {
  return {
    bytes: answer.ContentLength ?? 0,
    etag: bare(answer.ETag ?? ''),
    sha256: answer.Metadata?.['sha256'],
    modified: answer.LastModified?.getTime() ?? 0,
  };
}

/** Tags are shown with quotation marks, by most servers and in most answers. */
const bare = (etag: string) => etag.replaceAll('"', '');

function tagOf(etag: string | undefined, what: string): string {
  if (etag !== undefined && etag !== '') return bare(etag);
  throw new LazyscopeError(
    'unavailable',
    `The server gave '${what}' no tag (ETag), without which two writers can't be told apart: use another server.`,
  );
}

function isOfDisk(error: unknown): boolean {
  return (
    error instanceof Error &&
    'syscall' in error &&
    (error.syscall === 'write' || error.syscall === 'open') &&
    !('address' in error)
  );
}
