/**
 * Where everything lives under the data folder. Files are the truth; whoever wrote them, a command or the
 * server, anyone can read them. No other module spells a path of the store.
 */
import { join, resolve } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { namePattern, nameRule } from '../spec/names.ts';
import type { LabelMethod } from '../spec/tables/labels.ts';
import type { SparsityTableName } from '../spec/tables/sparsityTables.ts';

/** The paths of a data folder. Nothing is read or created by asking for one. Methods that take a name throw `bad_input` for one that could lead out of the folder. */
export class StoreLayout {
  readonly root: string;

  constructor(root: string) {
    this.root = resolve(root);
  }

  /** The name of this folder's jobs in Redis. */
  queueId() {
    return join(this.root, 'queue-id');
  }

  /** Folder of the job arrays that were handed to a cluster. */
  launches() {
    return join(this.root, 'launches');
  }
  /** Folder of one of them. */
  launch(id: string) {
    return join(this.launches(), checkName('launch', id));
  }

  /** Folder of what parts of unfinished work have left. */
  parts() {
    return join(this.root, 'parts');
  }
  /** Folder of the parts of one piece of work. */
  partsOf(key: string) {
    return join(this.parts(), checkName('part', key));
  }

  /** Folder of the language models of this store. */
  models() {
    return join(this.root, 'models');
  }
  /** Folder of one language model. */
  model(name: string) {
    return join(this.models(), checkName('model', name));
  }

  /** Folder of the data sets that were fetched from the hub. */
  datasets() {
    return join(this.root, 'datasets');
  }
  /** Folder of one data set. */
  dataset(name: string) {
    return join(this.datasets(), checkName('dataset', name));
  }

  /** Folder of dictionaries of other tools that wait to be imported. */
  imports() {
    return join(this.root, 'imports');
  }
  /** A folder or a file of another tool. */
  imported(name: string) {
    return join(this.imports(), checkName('import', name));
  }
  /** Folder of one dictionary, written for another tool. */
  exported(name: string) {
    return join(this.root, 'exports', checkName('export', name));
  }

  /** A text, tokenised for training language models; models trained on the same text share it. */
  corpus(name: string) {
    return join(this.root, 'corpora', checkName('corpus', name));
  }

  /** Folder of all captures. */
  captures() {
    return join(this.root, 'captures');
  }
  /** Folder of one capture. */
  capture(name: string) {
    return join(this.captures(), checkName('capture', name));
  }
  /** capture.json, which says that a capture is whole. */
  captureManifest(name: string) {
    return join(this.capture(name), 'capture.json');
  }
  /** The token ids of a capture. */
  captureTokens(name: string) {
    return join(this.capture(name), 'tokens.arrow');
  }
  /** Folder of the shards of one hook point. */
  captureHook(name: string, hook: string) {
    return join(this.capture(name), hook);
  }

  /** Folder of all runs. */
  runs() {
    return join(this.root, 'runs');
  }
  /** Folder of one run. */
  run(name: string) {
    return join(this.runs(), checkName('run', name));
  }
  /** run.json: the configuration, and how far training is. */
  runManifest(name: string) {
    return join(this.run(name), 'run.json');
  }
  /** The metrics of training, one row a seed every few steps. */
  runMetrics(name: string) {
    return join(this.run(name), 'metrics.arrow');
  }
  /** Folder of the metrics as another tool reads them, where they were asked for; a folder in it for each seed. */
  runLog(name: string, tool: 'tensorboard' | 'wandb') {
    return join(this.run(name), tool);
  }
  /** Folder of the checkpoints, while training goes on. */
  runCheckpoints(name: string) {
    return join(this.run(name), 'checkpoints');
  }
  /** Folder of one seed of a run. */
  runSeed(name: string, seed: number) {
    return join(this.run(name), `seed-${seed}`);
  }
  /** The trained dictionary of one seed. */
  dictionary(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'sae.safetensors');
  }
  /** The evaluation of one seed. */
  evaluation(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'evaluation.json');
  }
  /** What probes say of one seed. */
  probes(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'probes.json');
  }
  /** The feature index of one seed: one row a latent. */
  features(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'features.parquet');
  }
  /** In how many other seeds each latent is shared. */
  stability(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'stability.parquet');
  }
  /** How likely each latent of one seed is to come back in the others. */
  reproducibilityOfSeed(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'reproducibility.parquet');
  }
  /** What each latent of one seed is worth. */
  worthOfSeed(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'worth.parquet');
  }
  /** reproducibility.json, which says that the tables of the seeds and the curve are whole. */
  reproducibility(name: string) {
    return join(this.run(name), 'reproducibility.json');
  }
  /** The share of latents that come back against the threshold. */
  reproducibilityCurve(name: string) {
    return join(this.run(name), 'reproducibility-curve.parquet');
  }
  /** matchings.json, which says that the tables of flows are whole. */
  matchings(name: string) {
    return join(this.run(name), 'matchings.json');
  }
  /** Where the transport sends each latent of one seed. */
  flows(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'flows.parquet');
  }
  /** Stretches of text on which latents fire. */
  examples(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'examples.parquet');
  }

  /** Features and examples again, in the form in which the explorer reads them. */
  featurePages(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'pages.safetensors');
  }

  /** Which of its examples stand where in the text, for search. */
  searchIndex(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'search.safetensors');
  }

  /** The labels that one method made automatically. */
  automaticLabels(name: string, seed: number, method: LabelMethod) {
    return join(this.runSeed(name, seed), `labels-${method}.parquet`);
  }
  /** What an endpoint has answered of an unfinished labelling, which goes on from there. */
  labelJournal(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'labels-endpoint.jsonl');
  }

  /** Of a crosscoder: how much of each latent is at each hook point. */
  layerShares(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'layers.parquet');
  }
  /** The neurons aligned with each latent. */
  loadings(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'loadings.parquet');
  }

  /** Folder of all comparisons. */
  comparisons() {
    return join(this.root, 'comparisons');
  }
  /** Folder of one comparison. */
  comparison(name: string) {
    return join(this.comparisons(), checkName('comparison', name));
  }
  /** comparison.json, which says that a comparison is whole. */
  comparisonManifest(name: string) {
    return join(this.comparison(name), 'comparison.json');
  }
  /** The counterpart of each latent. */
  comparisonMatches(name: string) {
    return join(this.comparison(name), 'matches.parquet');
  }
  /** The shared fraction against the threshold. */
  comparisonCurve(name: string) {
    return join(this.comparison(name), 'curve.parquet');
  }
  /** Both dictionaries laid out in the plane. */
  comparisonMap(name: string) {
    return join(this.comparison(name), 'map.parquet');
  }

  /** Folder of all comparisons of dictionaries whose spaces differ. */
  spaces() {
    return join(this.root, 'spaces');
  }
  /** spaces.json, all that there is of one. */
  spacesReport(name: string) {
    return join(this.spaces(), checkName('comparison of spaces', name), 'spaces.json');
  }

  /** Folder of what is known of sweeps. */
  sweeps() {
    return join(this.root, 'sweeps');
  }
  /** stability.json: how many features of each of its configurations come back. */
  sweepStability(name: string) {
    return join(this.sweeps(), checkName('sweep', name), 'stability.json');
  }

  /** Folder of all sparsity reports. */
  sparsities() {
    return join(this.root, 'sparsity');
  }
  /** Folder of one sparsity report. */
  sparsity(name: string) {
    return join(this.sparsities(), checkName('sparsity report', name));
  }
  /** report.json, which says that a sparsity report is whole. */
  sparsityReport(name: string) {
    return join(this.sparsity(name), 'report.json');
  }
  /** One table of a sparsity report. */
  sparsityTable(name: string, table: SparsityTableName) {
    return join(this.sparsity(name), `${table}.parquet`);
  }

  /** The texts of the tokens of the model with this checksum. */
  vocabulary(modelSha256: string) {
    return join(this.root, 'vocabularies', `${checkName('vocabulary', modelSha256)}.json`);
  }

  /** The words of the held-out text of a capture, for search; dictionaries indexed on the same text share it. */
  searchText(key: string) {
    return join(this.root, 'texts', `${checkName('text', key)}.safetensors`);
  }

  /** store.json: the files of a published store, written by `lazyscope store index`. */
  listing() {
    return join(this.root, 'store.json');
  }
  /** labels.json: the labels of a published store, out of the database. */
  publishedLabels() {
    return join(this.root, 'labels.json');
  }

  /** Copies of the small manifests, kept by the server (manifestCache.ts); can be deleted at any time. */
  manifestIndex() {
    return join(this.root, 'manifest-index.json');
  }
  /** The database of labels and jobs, which only the server writes. */
  database() {
    return join(this.root, 'lazyscope.duckdb');
  }
  /** The record of what clients changed, which only the server writes. */
  auditLog() {
    return join(this.root, 'audit.jsonl');
  }
  /** Where the running server can be reached; absent while none runs. */
  serverAddress() {
    return join(this.root, 'server.json');
  }
}

/** A name is one folder: letters, digits, dot, dash and underscore, so that it can't lead out of the store. */
export function checkName(kind: string, name: string): string {
  if (!namePattern.test(name))
    throw new LazyscopeError('bad_input', `'${name}' can't name a ${kind}: ${nameRule}.`);
  return name;
}
