/** How a store without labels gets its first. */
export function NoLabels() {
  return 'Write one on a feature’s page, import a file below, or have rules found in the data.';
}
