/** What an S3 server, or the way there, said, as one of the product's errors. No message has anything of a request's headers. */
import { isLazyscopeError, LazyscopeError } from '../../../errors.ts';

/** A fault after which the same request may succeed. */
export class Passing extends Error {
  readonly explained: LazyscopeError;
  /** Milliseconds that the server asked to wait. */
  readonly after: number | undefined;

  constructor(explained: LazyscopeError, after?: number) {
    super(explained.message);
    this.explained = explained;
    this.after = after;
  }
}

/** The object is not the one that was expected, or is there where none was. */
export class ObjectChanged extends Error {}

/** There is no such object. */
export class ObjectMissing extends Error {}

interface Answer {
  name: string;
  status: number | undefined;
  retryAfter: string | undefined;
  code: string | undefined;
}

/** The fields that the client's errors have, whichever of them they are. */
function answerOf(error: unknown): Answer {
  const field = (of: unknown, key: string): unknown =>
    typeof of === 'object' && of !== null ? Reflect.get(of, key) : undefined;
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  const number = (value: unknown) => (typeof value === 'number' ? value : undefined);
  const response = field(error, '$response');
  return {
    name: text(field(error, 'name')) ?? 'Error',
    status:
      number(field(field(error, '$metadata'), 'httpStatusCode')) ?? number(field(response, 'statusCode')),
    retryAfter: text(field(field(response, 'headers'), 'retry-after')),
    code: text(field(error, 'code')) ?? text(field(field(error, 'cause'), 'code')),
  };
}

const passingStatus = [408, 409, 425, 429, 500, 502, 503, 504];
const passingNames =
  /^(SlowDown|ServiceUnavailable|InternalError|RequestTimeout|RequestTimeTooSkewed|TimeoutError|ThrottlingException|ConditionalRequestConflict|OperationAborted)$/;
const lostConnection =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EAI_AGAIN|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|ERR_STREAM_PREMATURE_CLOSE|UND_ERR_SOCKET)$/;

/** `what` is the address of the object; `server` the name of the host. */
export function explainBucketError(error: unknown, what: string, server: string): unknown {
  if (isLazyscopeError(error) || error instanceof Passing) return error;
  const { name, status, retryAfter, code } = answerOf(error);
  // The client's own errors hold the whole request, with its signature.
  const cause = new Error(`${name}: ${messageOf(error)}`);
  const refuse = (message: string) => new LazyscopeError('unavailable', message, { cause });
  if (name === 'CredentialsProviderError' || name === 'TokenProviderError')
    return new LazyscopeError(
      'bad_input',
      `There are no keys for '${what}': set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.`,
      { cause },
    );
  if (status === undefined && error instanceof Error && error.message.startsWith('Region is missing'))
    return new LazyscopeError(
      'bad_input',
      `It isn't known in which region '${what}' is: set AWS_REGION, or AWS_ENDPOINT_URL for another server than Amazon's.`,
      { cause },
    );
  if (name === 'NoSuchBucket')
    return new LazyscopeError(
      'not_found',
      `There is no bucket for '${what}' on '${server}': create it first.`,
      { cause },
    );
  if (status === 404 || name === 'NoSuchKey' || name === 'NotFound')
    return new ObjectMissing(what, { cause });
  if (status === 412 || name === 'PreconditionFailed') return new ObjectChanged(what, { cause });
  if (status === 401 || status === 403)
    return refuse(
      `'${server}' doesn't allow it for '${what}' (${name}): check the keys and what they may do.`,
    );
  if (passingNames.test(name) || (status !== undefined && passingStatus.includes(status)))
    return new Passing(
      refuse(`'${server}' answered ${status ?? name} for '${what}' again and again: try again later.`),
      secondsOf(retryAfter),
    );
  if (
    lostConnection.test(code ?? '') ||
    name === 'TimeoutError' ||
    name === 'AbortError' ||
    /aborted|socket hang up/i.test(messageOf(error))
  )
    return new Passing(
      refuse(`'${server}' can't be reached (${code ?? name}): check the address and the network.`),
    );
  if (status === 301 || status === 307 || status === 400)
    return refuse(
      `'${server}' answered ${status} (${name}) for '${what}': check AWS_REGION and AWS_ENDPOINT_URL.`,
    );
  if (status !== undefined)
    return refuse(`'${server}' answered ${status} (${name}) for '${what}': check the address of the store.`);
  return error;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : '');

/** Milliseconds of a Retry-After header, which has seconds or a date. */
function secondsOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
