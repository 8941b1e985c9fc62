/**
 * What people get from Neuronpedia of one dictionary: the folder of a source in its public bucket (v1/<model>/<source>/ with explanations/,
 * features/ and activations/, each in files batch-<n>.jsonl.gz), one of these files, or answers of its API as JSON. There are no weights
 * in them, but for the vectors of some features. Activations are not read.
 */
import { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../../errors.ts';
import { parseJson } from '../../formats/parseJson.ts';
import { decodeText } from '../../tokens/text/decodeText.ts';
import { decompress } from '../../tokens/text/decompress.ts';
import { chunksOf, readHead } from '../../tokens/text/fileDocuments.ts';
import { fileKind } from '../../tokens/text/fileKind.ts';
import { linesOf } from '../../tokens/text/jsonLines.ts';
import { fileStatus } from '../../store/fileStatus.ts';

export interface NeuronpediaExplained {
  latent: number;
  description: string;
  /** The model that wrote it. */
  explainer: string | null;
}

export interface NeuronpediaFeature {
  /** Texts of the tokens whose logits it raises most, strongest first. */
  promoted: string[];
  /** Its decoder row, up to its length; empty in most sources. */
  vector: number[];
}

export interface NeuronpediaSource {
  /** As Neuronpedia calls them; null where the files don't say. */
  model: string | null;
  source: string | null;
  /** In the files' order; a latent may have several. */
  explanations: NeuronpediaExplained[];
  features: Map<number, NeuronpediaFeature>;
  /** Entries that are neither an explanation nor a feature. */
  unread: number;
}

const explanation = z.object({
  description: z.string(),
  explanationModelName: z.string().nullish(),
});
const entry = z.object({
  index: z.union([z.int().nonnegative(), z.string().regex(/^\d{1,9}$/)]).transform(Number),
  modelId: z.string().nullish(),
  /** The name of the source, which begins with a layer. */
  layer: z.string().nullish(),
  description: z.string().nullish(),
  explanationModelName: z.string().nullish(),
  explanations: z.array(explanation).nullish(),
  pos_str: z.array(z.string()).nullish(),
  vector: z.array(z.number()).nullish(),
});

const isBatch = (name: string) => /\.(jsonl|json)(\.gz)?$/i.test(name);
const byNumber = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });

/** Throws `not_found`, `bad_input` for what is not Neuronpedia's or of several sources, and `corrupt` for a damaged file. */
export async function readNeuronpediaSource(path: string): Promise<NeuronpediaSource> {
  const found = { explanations: [], features: new Map(), unread: 0 };
  const read: NeuronpediaSource = { model: null, source: null, ...found };
  for (const file of filesOf(path)) for await (const value of entriesOf(file)) take(read, value, file);
  if (read.explanations.length === 0 && read.features.size === 0)
    throw new LazyscopeError(
      'bad_input',
      `'${path}' holds neither explanations nor features of Neuronpedia: give the folder of a source, with explanations/ in it, or a file of explanations.`,
    );
  return read;
}

/** The files of explanations and features of a source's folder; a folder of one source stands for it. */
function filesOf(path: string): string[] {
  const found = fileStatus(path);
  if (!found) throw new LazyscopeError('not_found', `'${path}' does not exist: check the path.`);
  if (found.isFile()) return [path];
  const inside = readdirSync(path, { withFileTypes: true });
  const folders = inside.filter((each) => each.isDirectory()).map(({ name }) => name);
  const parts = ['explanations', 'features'].filter((name) => folders.includes(name));
  if (parts.length > 0)
    return parts.flatMap((part) => {
      const names = readdirSync(join(path, part)).filter(isBatch).sort(byNumber);
      return names.map((name) => join(path, part, name));
    });
  const files = inside.filter((each) => each.isFile() && isBatch(each.name)).map(({ name }) => name);
  if (files.length > 0) return files.sort(byNumber).map((name) => join(path, name));
  if (folders.length === 1) return filesOf(join(path, folders[0]));
  throw new LazyscopeError(
    'bad_input',
    folders.length === 0
      ? `'${path}' has neither explanations/ nor features/ in it: give the folder of one of Neuronpedia's sources.`
      : `'${path}' holds ${folders.length} folders: give that of one source, for example ${join(path, folders.sort(byNumber)[0])}.`,
  );
}

/** Of a JSON document that isn't one object a line. */
const wholeDocument = { bytes: 256 << 20, values: 20_000_000, depth: 64 };

/** The objects of a file: one a line, or those of one JSON document, a list or an object. */
async function* entriesOf(path: string): AsyncGenerator<unknown> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw new LazyscopeError('not_found', `'${path}' can't be read: check the path.`, { cause });
  });
  try {
    const kind = fileKind(await readHead(handle));
    if (kind !== 'plain' && kind !== 'gzip')
      throw new LazyscopeError(
        'bad_input',
        `'${path}' is neither JSON nor gzip of it: give Neuronpedia's file.`,
      );
    const raw = chunksOf(handle, () => {});
    const chunks = kind === 'plain' ? raw : decompress(kind, raw, path);
    let line = 0;
    let whole: string[] | undefined;
    let length = 0;
    for await (const text of linesOf(decodeText(chunks, path), path)) {
      line++;
      if (!whole && text.trim() === '') continue;
      const value = whole ? undefined : objectIn(text);
      if (value) {
        yield value;
        continue;
      }
      if (!whole && line > 1)
        throw new LazyscopeError('corrupt', `'${path}' has no JSON object on line ${line}: fetch it again.`);
      whole ??= [];
      length += text.length;
      if (length > wholeDocument.bytes)
        throw new LazyscopeError(
          'bad_input',
          `'${path}' is JSON of more than ${wholeDocument.bytes} characters: give one object a line.`,
        );
      whole.push(text);
    }
    if (!whole) return;
    const document = parseJson(whole.join('\n'), path, wholeDocument);
    yield* Array.isArray(document) ? document : [document];
  } finally {
    await handle.close().catch(() => {});
  }
}

function objectIn(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function take(read: NeuronpediaSource, value: unknown, file: string): void {
  // Saying what is wrong with an entry takes longer than reading one; most of what isn't Neuronpedia's has no index.
  const parsed =
    typeof value === 'object' && value !== null && 'index' in value ? entry.safeParse(value) : undefined;
  if (!parsed?.success) {
    read.unread++;
    return;
  }
  const { index: latent, modelId, layer, description, explanationModelName, ...rest } = parsed.data;
  const here = `${modelId ?? read.model} ${layer ?? read.source}`;
  if ((read.model !== null || read.source !== null) && here !== `${read.model} ${read.source}`)
    throw new LazyscopeError(
      'bad_input',
      `'${file}' is of '${here}' and what was read before of '${read.model} ${read.source}': give one source at a time.`,
    );
  read.model = modelId ?? read.model;
  read.source = layer ?? read.source;
  const own = description ? [{ description, explanationModelName }] : (rest.explanations ?? []);
  for (const one of own)
    read.explanations.push({
      latent,
      description: one.description,
      explainer: one.explanationModelName ?? null,
    });
  const { pos_str: promoted, vector } = rest;
  if (promoted || vector) read.features.set(latent, { promoted: promoted ?? [], vector: vector ?? [] });
  else if (own.length === 0) read.unread++;
}
