/** The command that makes a damaged file of the store again, from the place that an error names; undefined where none does. */
export function repairCommand(message: string): string | undefined {
  const path = /'([^']*)'/.exec(message)?.[1]?.replaceAll('\\', '/') ?? '';
  const [, run, seedFile] = /runs\/([^/]+)\/seed-\d+\/([^/]+)$/.exec(path) ?? [];
  if (run !== undefined) {
    if (seedFile === 'evaluation.json') return `npx lazyscope evaluate ${run}`;
    if (seedFile === 'search.safetensors' || seedFile === 'pages.safetensors')
      return `npx lazyscope index ${run} --search-only`;
    if (seedFile === 'stability.parquet') return `npx lazyscope compare ${run}`;
    if (seedFile === 'reproducibility.parquet') return `npx lazyscope reproducibility ${run}`;
    if (/^(features|examples|loadings)\.parquet$/.test(seedFile)) return `npx lazyscope index ${run}`;
    return undefined;
  }
  const [, ofRun, file] = /runs\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  if (ofRun !== undefined && file.startsWith('reproducibility'))
    return `npx lazyscope reproducibility ${ofRun}`;
  const [, comparison] = /comparisons\/([^/]+)\/map\.parquet$/.exec(path) ?? [];
  return comparison === undefined ? undefined : `npx lazyscope map ${comparison}`;
}
