/**
 * `lazyscope/spec`: the product's descriptions as plain data, for programs that read a store's manifests, or build
 * forms, flags or documents from what the product says about itself. It loads zod and nothing else.
 *
 * @module lazyscope/spec
 */
export { namePattern, nameRule } from './names.ts';
export { rangeOf, readField } from './readField.ts';
export { fieldSchema, shapeOf } from './schema.ts';
export { bytesOf, sizeRule } from './sizes.ts';
export type { DictionaryName, Field, Fields, ValueOf, ValuesOf } from './fields.ts';
export type { Read } from './readField.ts';

export { architectureNames, architectures } from './architectures/architectures.ts';
export { trainingConfigSchema } from './trainingConfig.ts';
export { trainingFields } from './trainingFields.ts';
export type { ArchitectureDescription } from './architectures/architecture.ts';
export type { ArchitectureName, ConfigOf, TrainingConfig } from './architectures/architectures.ts';

export { captureKind } from './manifests/capture.ts';
export { comparisonKind } from './manifests/comparison.ts';
export { corpusKind } from './manifests/corpus.ts';
export { evaluationKind } from './manifests/evaluation.ts';
export { reproducibilityKind } from './manifests/reproducibility.ts';
export { spacesKind } from './manifests/spaces.ts';
export { stabilitySweepKind } from './manifests/stabilitySweep.ts';
export { runKind } from './manifests/run.ts';
export { sparsityReportKind } from './manifests/sparsityReport.ts';
export { trainingRecordKind } from './manifests/trainingRecord.ts';
export type { ManifestKind } from './manifests/manifestKind.ts';
export type { CaptureManifest } from './manifests/capture.ts';
export type { ComparisonManifest, DictionaryReference } from './manifests/comparison.ts';
export type { CorpusManifest } from './manifests/corpus.ts';
export type { Evaluation } from './manifests/evaluation.ts';
export type { Reproducibility } from './manifests/reproducibility.ts';
export type { SpacesReport } from './manifests/spaces.ts';
export type { StabilitySweep } from './manifests/stabilitySweep.ts';
export type { Subspaces } from './reproducibility/subspaces.ts';
export type { Worth } from './reproducibility/worth.ts';
export type { Environment, RunManifest } from './manifests/run.ts';
export type { SparsityReport } from './manifests/sparsityReport.ts';
export type { TrainingRecord } from './manifests/trainingRecord.ts';

export { jobKinds, jobs } from './jobs/jobs.ts';
export type { JobDescription, JobOption } from './jobs/job.ts';
export type { JobKind, JobStartInput } from './jobs/jobs.ts';

export { exampleTable } from './tables/examples.ts';
export { featureTable } from './tables/features.ts';
export { layerShareTable } from './tables/layerShares.ts';
export { loadingTable } from './tables/loadings.ts';
export { mapTable } from './tables/dictionaryMap.ts';
export { matchTable } from './tables/matches.ts';
export { reproducibilityTable } from './tables/reproducibility.ts';
export { reproducibilityCurveTable } from './tables/reproducibilityCurve.ts';
export { worthTable } from './tables/worth.ts';
export { sharedCurveTable } from './tables/sharedCurve.ts';
export { sparsityTables } from './tables/sparsityTables.ts';
export { stabilityTable } from './tables/stability.ts';
export type { RowOf, Table, TableColumn } from './tables/table.ts';
