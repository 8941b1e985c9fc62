/** Reads a JSON document of the store and believes it only when its schema does. */
import { isLazyscopeError, LazyscopeError } from '../errors.ts';
import { parseJson, type JsonBudget } from '../formats/parseJson.ts';
import { readTextFile, readTextFileSync } from '../formats/readTextFile.ts';
import type { ManifestKind, RawDocument } from '../spec/manifests/manifestKind.ts';
import { manifestFaults } from './manifestFaults.ts';

/** Throws 'not_found' when there is no such file, 'bad_input' for what is none, 'newer' and 'corrupt' as `parseManifest` does. */
export async function readManifest<Document extends { version: number }>(
  path: string,
  kind: ManifestKind<Document>,
): Promise<Document> {
  return parseManifest(await readTextFile(path, mostManifestBytes), path, kind);
}

/** As `readManifest`, for what opens its files at once. */
export function readManifestSync<Document extends { version: number }>(
  path: string,
  kind: ManifestKind<Document>,
): Document {
  return parseManifest(readTextFileSync(path, mostManifestBytes), path, kind);
}

/** Captures name each of their shards, and reports of large models have a line a layer and method. */
const storedJson: JsonBudget = { bytes: 256 << 20, values: 5_000_000, depth: 64 };
export const mostManifestBytes = storedJson.bytes;

/**
 * The document in the text of a file, brought up to the version of its kind. Keys that the schema doesn't know stay in it, so that
 * they are still there when the document is changed and written again.
 *
 * Throws 'corrupt' for what isn't such a document, and 'newer' for one that a later version of the product wrote.
 */
export function parseManifest<Document extends { version: number }>(
  text: string,
  path: string,
  kind: ManifestKind<Document>,
): Document {
  let value: unknown;
  try {
    value = parseJson(text, path, storedJson);
  } catch (cause) {
    // Too much of something, which says more than that it is damaged.
    if (isLazyscopeError(cause) && !(cause.cause instanceof SyntaxError)) throw cause;
    throw new LazyscopeError(
      'corrupt',
      `'${path}' is not JSON: it is truncated or damaged; ${kind.remedy}.`,
      {
        cause,
      },
    );
  }
  return acceptManifest(value, path, kind);
}

/** The same of what was parsed already. */
export function acceptManifest<Document extends { version: number }>(
  value: unknown,
  path: string,
  kind: ManifestKind<Document>,
): Document {
  const document = upToDate(value, path, kind);
  const [fault] = manifestFaults(document, kind).filter(({ unknownKeys }) => unknownKeys.length === 0);
  if (fault !== undefined)
    throw new LazyscopeError(
      'corrupt',
      `'${path}' is not what it should be at '${fault.path}' (${fault.message}): ${kind.remedy}.`,
    );
  // The schema found nothing wrong with it but keys it doesn't know, and schemas of manifests change nothing.
  return document as unknown as Document;
}

function upToDate<Document extends { version: number }>(
  value: unknown,
  path: string,
  { name, remedy, version, upgrades }: ManifestKind<Document>,
): RawDocument {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new LazyscopeError(
      'corrupt',
      `'${path}' is JSON but doesn't describe ${name}: it is damaged; ${remedy}.`,
    );
  let document: RawDocument = { version: 1, ...value };
  const found = document.version;
  if (typeof found !== 'number' || !Number.isInteger(found) || found < 1)
    throw new LazyscopeError(
      'corrupt',
      `'${path}' is not what it should be at 'version' (${JSON.stringify(found)}): ${remedy}.`,
    );
  if (found > version)
    throw new LazyscopeError(
      'newer',
      `'${path}' was written by a newer Lazyscope (version ${found}; this one reads up to ${version}): update Lazyscope to read it.`,
    );
  for (let from = found; from < version; from++) {
    const upgrade = upgrades[from];
    if (!upgrade) throw new Error(`there is no way from version ${from} of ${name} to ${from + 1}`);
    document = { ...upgrade(document), version: from + 1 };
  }
  return document;
}
