/** Procedures that one HTTP request may call. A page of the explorer calls about ten at once. Apart from the other limits, so that the client needs no schemas. */
export const maxBatchSize = 50;
