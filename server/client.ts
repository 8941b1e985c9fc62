/**
 * The typed client, for Node and the browser:
 *
 *     import { createLazyscopeClient } from 'lazyscope/client';
 *
 *     const lazyscope = createLazyscopeClient({ url: 'http://127.0.0.1:4321' });
 *     const runs = await lazyscope.runs.list.query();
 *     const best = runs.filter((r) => r.fvu !== null).sort((a, b) => a.fvu! - b.fvu!)[0];
 *     const page = await lazyscope.features.list.query({ run: best.name, seed: best.seed, filter: { minStability: 1 } });
 *     for (const { latent, promoted } of page.rows) console.log(latent, promoted.map((t) => t.text).join(' '));
 *     const watching = lazyscope.jobs.watch.subscribe({}, { onData: ({ data }) => console.log(data.job.progress) });
 *     await lazyscope.jobs.start.mutate({ kind: 'train', options: { architecture: 'topk', capture: 'demo', seeds: [3, 4] } });
 *     watching.unsubscribe();
 *
 * @module lazyscope/client
 */
import { createTRPCClient, httpBatchLink, httpLink, httpSubscriptionLink, splitLink } from '@trpc/client';
import type { TRPCClient } from '@trpc/client';
import { EventSource } from 'eventsource';
import { maxBatchSize } from './contract/batchSize.ts';
import type { AppRouter } from './root.ts';

/** How to reach a server. */
export interface LazyscopeClientOptions {
  /** Where the server is, for example `http://127.0.0.1:4321`; in a page served by it, `''`. */
  url: string;
  /** The token that the server was started with (`--token`), if any. */
  token?: string;
}

/** The procedures of a server as functions: `client.runs.list.query()`, `client.jobs.start.mutate(…)`, `client.jobs.watch.subscribe(…)`. */
export type LazyscopeClient = TRPCClient<AppRouter>;

/** A client of the server at `url`. It connects when a procedure is first called. A refused call rejects with a `TRPCClientError`, whose `data.lazyscopeCode` is the library's `ErrorCode` where there is one. */
export function createLazyscopeClient({ url, token }: LazyscopeClientOptions): LazyscopeClient {
  const endpoint = `${url.replace(/\/+$/, '')}/trpc`;
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: (operation) => operation.type === 'subscription',
        // Node 20 has no EventSource, and a browser's own can't send a header.
        true: httpSubscriptionLink({
          url: endpoint,
          EventSource,
          eventSourceOptions: {
            fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
          },
        }),
        false: splitLink({
          // A text may be longer than an address, and a file of labels than what a batch may have.
          condition: ({ path }) => path === 'playground.features' || path === 'labels.import',
          true: httpLink({ url: endpoint, headers, methodOverride: 'POST' }),
          false: httpBatchLink({ url: endpoint, headers, maxURLLength: 8_000, maxItems: maxBatchSize }),
        }),
      }),
    ],
  });
}

export type { AppRouter } from './root.ts';
export type { DatasetRow } from './contract/datasets.ts';
export type { CaptureDetail, CaptureNorms, CaptureRow } from './contract/captures.ts';
export type { ComparisonDetail, MatchRow, OrphanPage, Stability } from './contract/comparisons.ts';
export type {
  Counterpart,
  Example,
  FeatureDetail,
  FeaturePage,
  FeatureRow,
  Neighbour,
} from './contract/features.ts';
export type {
  Job,
  JobDetail,
  JobEvent,
  JobKind,
  JobPart,
  JobStartInput,
  JobStatus,
  JobWorker,
  WorkerJob,
} from './contract/jobs.ts';
export type { Label } from './contract/label.ts';
export type {
  LabelCarry,
  LabelExport,
  LabelFormat,
  LabelImport,
  LabelPage,
  LabelRow,
} from './contract/labels.ts';
export type { FeatureList } from './contract/lists.ts';
export type { Generation, HookCheck, ModelRow } from './contract/models.ts';
export type { Overview } from './contract/overview.ts';
export type {
  DictionaryOnText,
  LatentGlance,
  ModelStatus,
  SteeringEvent,
  TextOnModel,
  VariantName,
} from './contract/playground.ts';
export type { FlowEnd, LatentFlows, MatchingsDetail } from './contract/matchings.ts';
export type { LatentReproducibility, ReproducibilityDetail } from './contract/reproducibility.ts';
export type { SearchExample, SearchPage, SearchRow, TextMatch } from './contract/search.ts';
export type { EstimatedFigure, JobEstimate } from './contract/estimates.ts';
export type { RunDetail, RunMetrics, RunRow, TrainingProgress } from './contract/runs.ts';
export type {
  EmergenceCurve,
  NeuronAlignment,
  /** @deprecated The former name of NeuronAlignment, kept for existing clients. */
  NeuronAlignment as Carriers,
  NeuronDetail,
  NeuronFeature,
  NeuronRow,
  SparsityDetail,
  SparsityRow,
} from './contract/sparsity.ts';
export type {
  DictionaryReference,
  /** @deprecated The former name of DictionaryReference, kept for existing clients. */
  DictionaryReference as Dictionary,
  Page,
  TokenCount,
  TokenEffect,
  TokenText,
} from './contract/tokens.ts';
