/** Writes a JSON document of the store, and only one that will be read back. */
import { LazyscopeError } from '../errors.ts';
import type { ManifestKind } from '../spec/manifests/manifestKind.ts';
import { writeJsonAtomic } from './atomicWrite.ts';
import { manifestFaults } from './manifestFaults.ts';

/**
 * `before` is what was read when a document is changed and written again: keys that this version doesn't know are let through
 * where they stood in it, and refused anywhere else.
 *
 * Throws 'bad_input' naming the field when the value isn't what the schema says (a figure that is NaN or infinite where none may
 * be undefined), before anything is written; then what writing throws.
 */
export async function writeManifest<Document extends { version: number }>(
  path: string,
  kind: ManifestKind<Document>,
  value: Document,
  before?: Document | null,
): Promise<void> {
  checkManifest(path, kind, value, before);
  await writeJsonAtomic(path, value);
}

/** Throws as `writeManifest` does, and writes nothing: for a writer that clears the way before it writes. */
export function checkManifest<Document extends { version: number }>(
  path: string,
  kind: ManifestKind<Document>,
  value: Document,
  before?: Document | null,
): void {
  const kept = new Set(before ? manifestFaults(before, kind).flatMap(({ unknownKeys }) => unknownKeys) : []);
  for (const fault of manifestFaults(value, kind)) {
    const strange = fault.unknownKeys.find((key) => !kept.has(key));
    if (fault.unknownKeys.length > 0 && strange === undefined) continue;
    throw new LazyscopeError(
      'bad_input',
      strange === undefined
        ? `'${path}' was not written: '${fault.path}' can't be ${shown(value, fault.path)} in ${kind.name} (${fault.message}); check that the weights and activations it comes from are finite numbers.`
        : `'${path}' was not written: '${strange}' is no field of ${kind.name}; leave it out.`,
    );
  }
}

/** The value at a dotted path, short enough for a sentence. */
function shown(value: unknown, path: string): string {
  let at: unknown = value;
  for (const key of path.split('.'))
    at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined;
  return typeof at === 'number' ? String(at) : (JSON.stringify(at)?.slice(0, 60) ?? 'absent');
}
