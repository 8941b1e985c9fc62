/** Whether a data folder is given as an address, such as https://host/study, instead of a folder of this disk. */
export const isAddress = (data: string): boolean => /^[a-z][a-z0-9+.-]+:\/\//i.test(data);

/** Whether that address is of a bucket, s3://bucket/prefix, whose store can be written too. */
export const isBucketAddress = (data: string): boolean => /^s3:\/\//i.test(data);
