/**
 * Where everything lives under the data folder. Files are the truth; whoever wrote them, a command or the
 * server, anyone can read them. No other module spells a path of the store.
 */
import { join, resolve } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { namePattern, nameRule } from '../spec/names.ts';
import type { SparsityTableName } from '../spec/tables/sparsityTables.ts';

export class StoreLayout {
  readonly root: string;

  constructor(root: string) {
    this.root = resolve(root);
  }

  models() {
    return join(this.root, 'models');
  }
  model(name: string) {
    return join(this.models(), checkName('model', name));
  }

  /** A text, tokenised for training language models; models trained on the same text share it. */
  corpus(name: string) {
    return join(this.root, 'corpora', checkName('corpus', name));
  }

  captures() {
    return join(this.root, 'captures');
  }
  capture(name: string) {
    return join(this.captures(), checkName('capture', name));
  }
  captureManifest(name: string) {
    return join(this.capture(name), 'capture.json');
  }
  captureTokens(name: string) {
    return join(this.capture(name), 'tokens.arrow');
  }
  captureHook(name: string, hook: string) {
    return join(this.capture(name), hook);
  }

  runs() {
    return join(this.root, 'runs');
  }
  run(name: string) {
    return join(this.runs(), checkName('run', name));
  }
  runManifest(name: string) {
    return join(this.run(name), 'run.json');
  }
  runMetrics(name: string) {
    return join(this.run(name), 'metrics.arrow');
  }
  runCheckpoints(name: string) {
    return join(this.run(name), 'checkpoints');
  }
  runSeed(name: string, seed: number) {
    return join(this.run(name), `seed-${seed}`);
  }
  dictionary(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'sae.safetensors');
  }
  evaluation(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'evaluation.json');
  }
  features(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'features.parquet');
  }
  stability(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'stability.parquet');
  }
  examples(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'examples.parquet');
  }

  loadings(name: string, seed: number) {
    return join(this.runSeed(name, seed), 'loadings.parquet');
  }

  comparisons() {
    return join(this.root, 'comparisons');
  }
  comparison(name: string) {
    return join(this.comparisons(), checkName('comparison', name));
  }
  comparisonManifest(name: string) {
    return join(this.comparison(name), 'comparison.json');
  }
  comparisonMatches(name: string) {
    return join(this.comparison(name), 'matches.parquet');
  }
  comparisonCurve(name: string) {
    return join(this.comparison(name), 'curve.parquet');
  }
  comparisonMap(name: string) {
    return join(this.comparison(name), 'map.parquet');
  }

  sparsities() {
    return join(this.root, 'sparsity');
  }
  sparsity(name: string) {
    return join(this.sparsities(), checkName('sparsity report', name));
  }
  sparsityReport(name: string) {
    return join(this.sparsity(name), 'report.json');
  }
  sparsityTable(name: string, table: SparsityTableName) {
    return join(this.sparsity(name), `${table}.parquet`);
  }

  /** Copies of the small manifests, kept by the server (manifestCache.ts); can be deleted at any time. */
  manifestIndex() {
    return join(this.root, 'manifest-index.json');
  }
  database() {
    return join(this.root, 'lazyscope.duckdb');
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
