/** Texts that come with the package, by the name that `--text` takes, and their titles. */
export const datasetTitles = {
  'dataset:moby-dick': 'Moby-Dick',
  'dataset:sotu': 'State of the Union addresses',
} as const;

export type DatasetName = keyof typeof datasetTitles;
export const datasetNames = Object.keys(datasetTitles) as readonly DatasetName[];
