/**
 * The Hugging Face hub's HTTP interface, as far as models and data sets need it: a repository's files with their sizes and checksums, and
 * their content (https://huggingface.co/docs/hub/api). Nothing is asked of it unless a person asks for one by name.
 */
import { z } from 'zod';
import { LazyscopeError } from '../../errors.ts';

export interface Hub {
  /** `https://huggingface.co`, or a mirror. */
  endpoint: string;
  /** Sent to the endpoint alone. */
  token?: string | undefined;
}

export interface HubFile {
  /** Path in the repository. */
  path: string;
  bytes: number;
  /** Of the content; large files have the first kind, those that Git keeps itself the second. */
  checksum: { kind: 'sha256' | 'git'; value: string };
}

const listing = z.looseObject({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z.array(
    z.looseObject({
      rfilename: z.string(),
      size: z.int().nonnegative().nullish(),
      blobId: z.string().nullish(),
      lfs: z.looseObject({ sha256: z.string(), size: z.int().nonnegative() }).nullish(),
    }),
  ),
});

/** What a repository of the hub is of. */
export type RepositoryKind = 'model' | 'dataset';

/** `owner/name`, or `name` alone as the oldest models have it. */
export const repositoryPattern = /^[\w-][\w.-]*(\/[\w-][\w.-]*)?$/;

/** The files of a revision, and the commit it stands for. Throws `bad_input`, `not_found` or `unavailable`, with the remedy. */
export async function listRepository(
  hub: Hub,
  repository: string,
  revision: string,
  { kind = 'model', signal }: { kind?: RepositoryKind | undefined; signal?: AbortSignal | undefined } = {},
): Promise<{ commit: string; files: HubFile[] }> {
  const url = `${hub.endpoint}/api/${kind}s/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const response = await ask(hub, url, { signal });
  if (!response.ok) throw await refusal(hub, response, `${kind} '${repository}' at '${revision}'`);
  const parsed = listing.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success)
    throw new LazyscopeError(
      'unavailable',
      `'${hub.endpoint}' answered something else than a list of files: check HF_ENDPOINT.`,
    );
  const files = parsed.data.siblings.flatMap(({ rfilename: path, size, blobId, lfs }): HubFile[] => {
    if (lfs) return [{ path, bytes: lfs.size, checksum: { kind: 'sha256', value: lfs.sha256 } }];
    if (typeof size !== 'number' || !blobId) return [];
    return [{ path, bytes: size, checksum: { kind: 'git', value: blobId } }];
  });
  return { commit: parsed.data.sha, files };
}

/** Where a file of a commit is downloaded from. */
export function fileUrl(
  hub: Hub,
  at: { repository: string; commit: string; kind?: RepositoryKind | undefined },
  path: string,
): string {
  const { repository, commit, kind = 'model' } = at;
  return `${hub.endpoint}/${kind === 'dataset' ? 'datasets/' : ''}${repository}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** Throws `unavailable` where no answer comes, and what the signal aborts with. */
export async function ask(
  { endpoint, token }: Hub,
  url: string,
  options: { headers?: Record<string, string>; signal?: AbortSignal | undefined },
): Promise<Response> {
  const headers = { ...options.headers, ...(token && { authorization: `Bearer ${token}` }) };
  try {
    return await fetch(url, { headers, ...(options.signal && { signal: options.signal }) });
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new LazyscopeError(
      'unavailable',
      `'${endpoint}' can't be reached (${reasonOf(cause)}): check the connection, or name a mirror in HF_ENDPOINT; what is on this disk needs neither.`,
      { cause },
    );
  }
}

/** The error for an answer that is none. */
export async function refusal({ token }: Hub, response: Response, what: string): Promise<LazyscopeError> {
  await response.body?.cancel().catch(() => {});
  const { status } = response;
  if (status === 401 || status === 403)
    return new LazyscopeError(
      'bad_input',
      token
        ? `The hub refuses ${what} to the token in HF_TOKEN (${status}): check the name, accept the model's licence on its page, or use another token.`
        : `The hub refuses ${what} without a token (${status}): check the name, or put a token that may read it in HF_TOKEN.`,
    );
  if (status === 404)
    return new LazyscopeError('not_found', `The hub has no ${what}: check the name and the revision.`);
  return new LazyscopeError('unavailable', `The hub answers ${status} for ${what}: try again later.`);
}

/** What the machine said: fetch wraps it. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof Error ? cause.message : String(cause);
}
