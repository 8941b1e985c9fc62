/** Whether a file of a store is small, read by whatever lists the store, and vouches for the files beside it. */
export const isManifest = (path: string): boolean => path.endsWith('.json');
