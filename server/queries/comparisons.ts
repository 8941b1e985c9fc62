import type { ComparisonManifest } from '../../sae/store/manifests.ts';
import type { ServerContext } from '../context.ts';
import type {
  ComparisonDetail,
  MatchListInput,
  MatchRow,
  OrphanInput,
  OrphanPage,
  Stability,
} from '../contract/comparisons.ts';
import type { Page } from '../contract/tokens.ts';
export declare function listComparisons(server: ServerContext): Promise<ComparisonManifest[]>;
export declare function getComparison(server: ServerContext, name: string): Promise<ComparisonDetail>;
export declare function listMatches(server: ServerContext, input: MatchListInput): Promise<Page<MatchRow>>;
export declare function stability(server: ServerContext, input: { runName: string }): Promise<Stability>;
export declare function listOrphans(server: ServerContext, input: OrphanInput): Promise<OrphanPage>;
