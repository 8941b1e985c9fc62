/** What a document has against the schema of its kind, with unknown keys told apart from wrong values. */
import type { ManifestKind } from '../spec/manifests/manifestKind.ts';

export interface ManifestFault {
  /** Dotted: `layers.0.cett`. */
  readonly path: string;
  readonly message: string;
  /** Dotted paths of keys that the schema doesn't know, where that is the fault. */
  readonly unknownKeys: readonly string[];
}

export function manifestFaults<Document extends { version: number }>(
  document: unknown,
  { schema }: ManifestKind<Document>,
): ManifestFault[] {
  const parsed = schema.safeParse(document);
  if (parsed.success) return [];
  return parsed.error.issues.map((issue) => ({
    path: dotted(issue.path),
    message: issue.message,
    unknownKeys:
      issue.code === 'unrecognized_keys' ? issue.keys.map((key) => dotted([...issue.path, key])) : [],
  }));
}

function dotted(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}
