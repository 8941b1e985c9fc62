/**
 * What is added to the product to see what it costs. The work itself does not count: the kernels that a new architecture
 * may need, and the file that does what a new kind of job is for.
 */
export const cases = [
  {
    name: 'an architecture',
    patch: 'architecture.patch',
    limit: 4,
    // Forgetting to fill in one part of the description must not go unnoticed.
    without: {
      file: 'sae/spec/architectures/runningtopk.ts',
      line: "  inference: { fires: 'largest', k: 'k' },\n",
    },
    // They go over every architecture: training, resuming to the same bits, recovery of a planted dictionary.
    tests: [
      'sae/training/runningTopK.test.ts',
      'sae/training/train.test.ts',
      'sae/training/syntheticDictionary.test.ts',
      'sae/training/sweep.test.ts',
    ],
  },
  {
    name: 'a job kind',
    patch: 'job-kind.patch',
    limit: 2,
    work: ['scripts/commands/verify.ts'],
    // A kind that is described but does nothing must not go unnoticed.
    without: { file: 'scripts/commands/verify.ts' },
    tests: [
      'scripts/commands/verify.test.ts',
      'scripts/commandLine/jobCommand.test.ts',
      'web/components/jobs/jobForms.test.ts',
    ],
  },
  {
    name: 'a metric on the lazy page',
    patch: 'lazy-metric.patch',
    limit: 4,
    // A metric that is described but not computed must not go unnoticed.
    without: { file: 'sae/sparsity/layerMetrics/layerComputations.ts', line: '  hoyerSparsity,\n' },
    tests: ['sae/sparsity/layerMetrics', 'sae/spec/layerMetrics', 'sae/sparsity/measureSparsity.test.ts'],
  },
];
