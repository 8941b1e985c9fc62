/** Whether a data folder is given as an address, such as https://host/study, instead of a folder of this disk. */
export const isAddress = (data: string): boolean => /^[a-z][a-z0-9+.-]+:\/\//i.test(data);
