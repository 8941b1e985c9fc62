/**
 * A number that a sparsity report gives for each layer, as plain data. The report's schema, the command line's table,
 * the server's contract and the explorer's lazy page (the table of layers, the chart by layer with its CSV, the
 * glossary) are derived from these descriptions; how each is computed is said in `sae/sparsity/layerMetrics`.
 */
export interface LayerMetric {
  /** What the glossary calls it. */
  readonly term: string;
  /** The header of its column, in lower case. */
  readonly label: string;
  /** One sentence, for the glossary. */
  readonly meaning: string;
  readonly source?: string;
  readonly format: 'percent' | 'fixed';
  /** The width in pixels that the explorer's table of layers must have to show its column. */
  readonly from?: 480 | 640;
  /** Absent in reports made before it was measured, and where it is undefined. Whatever joins later must be optional. */
  readonly optional?: true;
}
