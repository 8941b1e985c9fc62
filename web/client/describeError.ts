/** An error as text for people, with what to do about it. */
import { TRPCClientError } from '@trpc/client';
import { repairCommand } from './repairCommand.ts';

export interface DescribedError {
  title: string;
  message: string;
  remedy?: string;
  /** A command that helps, shown with a button to copy it. */
  command?: string;
  kind: 'unreachable' | 'unauthorized' | 'missing' | 'refused' | 'broken';
}

export function describeError(error: unknown): DescribedError {
  if (!(error instanceof TRPCClientError))
    return {
      title: 'This page failed',
      message: error instanceof Error ? error.message : 'Something unexpected happened.',
      remedy: 'Reload the page; if it fails again, please report what you were looking at.',
      kind: 'broken',
    };
  const code = codeOf(error);
  // Without a shape there was no answer from a procedure: the server is down, or something else answered.
  if (code === undefined)
    return {
      title: 'The server does not answer',
      message: 'The explorer could not reach the Lazyscope server that it was loaded from.',
      remedy: 'Start it again in the folder of your project; this page then goes on by itself.',
      command: 'npx lazyscope serve',
      kind: 'unreachable',
    };
  if (code === 'UNAUTHORIZED')
    return {
      title: 'This server asks for a token',
      message: error.message,
      kind: 'unauthorized',
    };
  if (code === 'NOT_FOUND')
    return {
      title: 'Not in the store',
      message: error.message,
      remedy:
        'It may have been renamed or removed, or it lives in another data folder. Once it is there, this page shows it.',
      kind: 'missing',
    };
  if (code === 'UNPROCESSABLE_CONTENT') {
    const command = repairCommand(error.message);
    return {
      title: 'A file is damaged',
      message: error.message,
      ...(command === undefined ? {} : { command }),
      kind: 'broken',
    };
  }
  if (code === 'INTERNAL_SERVER_ERROR')
    return {
      title: 'The server failed',
      message: error.message,
      remedy: 'Its log has the details.',
      kind: 'broken',
    };
  return { title: 'The server refused', message: error.message, kind: 'refused' };
}

function codeOf(error: { data?: unknown }): string | undefined {
  const data: unknown = error.data;
  if (typeof data !== 'object' || data === null || !('code' in data)) return undefined;
  return typeof data.code === 'string' ? data.code : undefined;
}

/** Milliseconds after which to look again for what may come by itself: a server that starts, a run that is being made. */
export function looksAgainAfter(error: unknown): number | false {
  const { kind } = describeError(error);
  return kind === 'unreachable' || kind === 'missing' ? 4_000 : false;
}

/** Whether to retry: yes when the server did not answer, no when it refused the request. */
export function worthRetrying(error: unknown): boolean {
  const { kind } = describeError(error);
  return kind === 'unreachable';
}
