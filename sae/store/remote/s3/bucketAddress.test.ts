import { describe, expect, test } from 'vitest';
import { parseBucketAddress } from './bucketAddress.ts';

describe('the address of a store in a bucket', () => {
  test.each([
    ['s3://studies', 'studies', '', 's3://studies'],
    ['s3://studies/', 'studies', '', 's3://studies'],
    ['S3://my.bucket-1/a/b//', 'my.bucket-1', 'a/b/', 's3://my.bucket-1/a/b'],
    [
      's3://studies/sea of ice/Größe %20',
      'studies',
      'sea of ice/Größe %20/',
      's3://studies/sea of ice/Größe %20',
    ],
  ])('%s', (text, bucket, prefix, url) => {
    expect(parseBucketAddress(text)).toEqual({ bucket, prefix, url });
  });

  test.each(['s3://studies/../other', 's3://studies/a//b', 's3://studies/./b', 's3://studies/a\nb'])(
    '%j is refused, because a part of it names no folder',
    (text) => {
      expect(() => parseBucketAddress(text)).toThrow(/has a part that names no folder/);
    },
  );

  test.each(['s3://', 's3://AKIAKEY:secret@studies/a', 's3://Studies', 's3://a/b'])(
    '%s has no bucket, and nothing of it is repeated',
    (text) => {
      const refusal = () => parseBucketAddress(text);
      expect(refusal).toThrow(/s3:\/\/BUCKET\/PREFIX/);
      expect(refusal).not.toThrow(/secret|Studies/);
    },
  );
});
