/**
 * Every error the product raises on purpose. The codes are closed: a client, the command line and the
 * server each map them once (exit status, HTTP status) and nothing else needs to know the list.
 *
 * A message is one sentence for the reader: it names the offending thing and the remedy. What the
 * machine said underneath goes into `cause`, which is logged and never shown to a remote client.
 */
export const errorCodes = [
  /** An argument or a file is not what it must be. */
  'bad_input',
  /** A named model, capture, run, hook point or file does not exist. */
  'not_found',
  /** The name is taken, or another process holds the lock. */
  'conflict',
  /** A file is truncated, or its checksum is wrong. */
  'corrupt',
  /** A file was written by a later version of the product. */
  'newer',
  /** A backend, library or device cannot be used on this machine. */
  'unavailable',
  /** The disk is full. */
  'no_space',
  /** The person asked for it to stop. */
  'cancelled',
] as const;

/** One of `errorCodes`, the closed list of what can go wrong. */
export type ErrorCode = (typeof errorCodes)[number];

/** An error that the product raises on purpose. Its message is one sentence for people. */
export class LazyscopeError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'LazyscopeError';
    this.code = code;
  }
}

/** Whether a caught value is a `LazyscopeError`. */
export function isLazyscopeError(error: unknown): error is LazyscopeError {
  return error instanceof LazyscopeError;
}
