/** Texts that come with the package, by the name that `--text` takes, and their titles. */
export const datasetTitles = {
  'dataset:moby-dick': 'Moby-Dick',
  'dataset:sotu': 'State of the Union addresses',
} as const;

export type DatasetName = keyof typeof datasetTitles;
/** How a data set of the package or of the store is called: a name of the store after `dataset:`. */
export const datasetPattern = /^dataset:[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** What a text that does not match should have been. */
export const datasetRule = "use 'dataset:' and the name of a data set";

export const datasetNames = Object.keys(datasetTitles) as readonly DatasetName[];
