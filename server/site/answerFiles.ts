/** Collects answers and writes them into the files in which a published site looks for them. */
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { isLazyscopeError } from '../../sae/errors.ts';
import { answerPlace, siteFiles, type Question } from '../../sae/spec/site/answerPlace.ts';
import { packAnswer, unpackAnswer, type Json } from '../../sae/spec/site/packedAnswer.ts';
import type { AnswersFile, VocabularyFile } from '../../sae/spec/site/siteContent.ts';
import { writeFileAtomic } from '../../sae/store/atomicWrite.ts';
import type { TokenReader } from '../queries/tokenReader.ts';

const compressed = promisify(gzip);

export class AnswerFiles {
  /** Bytes written so far, and files. */
  bytes = 0;
  files = 0;
  readonly #folder: string;
  readonly #open = new Map<string, { vocabulary: number | null; answers: Record<string, Json> }>();
  readonly #vocabularies: VocabularyFile[] = [];
  readonly #numbers = new Map<TokenReader, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Keeps the answer to a question for its file. What the store hasn't got has no answer, as on the server. */
  async add(question: Question, reader: TokenReader, ask: () => Promise<unknown>): Promise<void> {
    let answer: unknown;
    try {
      answer = await ask();
    } catch (error) {
      if (isLazyscopeError(error) && error.code === 'not_found') return;
      throw error;
    }
    const { file, key } = answerPlace(question);
    this.put(file, key, reader, answer);
  }

  put(file: string, key: string, reader: TokenReader, answer: unknown): void {
    const vocabulary = this.vocabulary(reader);
    const open = this.#open.get(file) ?? { vocabulary, answers: {} };
    this.#open.set(file, open);
    open.answers[key] = pack(answer, reader);
  }

  /** Writes the files that have answers. A file is written once: its answers come before this. */
  async flush(): Promise<void> {
    for (const [file, content] of this.#open) await this.write(file, content satisfies AnswersFile);
    this.#open.clear();
  }

  async write(file: string, content: unknown): Promise<void> {
    await this.writeBytes(file, Buffer.from(JSON.stringify(content)));
  }

  async writeBytes(file: string, content: Uint8Array): Promise<void> {
    const bytes = await compressed(content, { level: 9 });
    await writeFileAtomic(join(this.#folder, file), bytes);
    this.bytes += bytes.length;
    this.files++;
  }

  /** The number of the file with the texts that the reader has; null where it has none. */
  vocabulary(reader: TokenReader): number | null {
    if (reader.vocabulary.length === 0) return null;
    const known = this.#numbers.get(reader);
    if (known !== undefined) return known;
    // A capture and a sparsity report of one model have a reader each.
    const equal = this.#vocabularies.findIndex((texts) => sameTexts(texts, reader.vocabulary));
    const number = equal < 0 ? this.#vocabularies.push(reader.vocabulary) - 1 : equal;
    this.#numbers.set(reader, number);
    return number;
  }

  async writeVocabularies(): Promise<void> {
    for (const [number, texts] of this.#vocabularies.entries())
      await this.write(siteFiles.vocabulary(number), texts);
  }
}

function sameTexts(a: VocabularyFile, b: VocabularyFile): boolean {
  return a.length === b.length && a.every((text, id) => text === b[id]);
}

/** Packed, after a look that unpacking gives the answer back. */
function pack(answer: unknown, { text }: TokenReader): Json {
  const plain = JSON.stringify(answer);
  const packed = packAnswer(JSON.parse(plain) as Json, text);
  if (JSON.stringify(unpackAnswer(packed, text)) !== plain)
    throw new Error(`an answer does not come back from its packed form: ${plain.slice(0, 200)}`);
  return packed;
}
