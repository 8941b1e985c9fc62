/** `s3://bucket/prefix`: where in which bucket a store lies. The text after the bucket is taken as it is, as other tools do: nothing in it is decoded. */
import { LazyscopeError } from '../../../errors.ts';

export interface BucketAddress {
  bucket: string;
  /** Of every key, with a slash at its end; empty for a store that has the bucket to itself. */
  prefix: string;
  /** The address, without a slash at its end. */
  url: string;
}

const bucketPattern = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** Throws `bad_input` for what is no such address. What doesn't look like a bucket's name is not repeated: it may hold a secret. */
export function parseBucketAddress(text: string): BucketAddress {
  const [bucket, ...parts] = text
    .replace(/^s3:\/\//i, '')
    .replace(/\/+$/, '')
    .split('/');
  if (!bucketPattern.test(bucket))
    throw new LazyscopeError(
      'bad_input',
      'The address of a store in S3 is s3://BUCKET/PREFIX: a bucket has 3 to 63 small letters, digits, dots and dashes, and keys are read from the environment, never from an address.',
    );
  const odd = parts.find((part) => part === '' || part === '.' || part === '..' || /\p{Cc}/u.test(part));
  if (odd !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `The prefix '${parts.join('/')}' has a part that names no folder ('${odd}'): leave it out.`,
    );
  const path = parts.join('/');
  return { bucket, prefix: path === '' ? '' : `${path}/`, url: `s3://${[bucket, ...parts].join('/')}` };
}
