import type { ServerContext } from '../context.ts';
import type { RunDetail, RunMetrics, RunRow } from '../contract/runs.ts';
export declare function listRuns(server: ServerContext): Promise<RunRow[]>;
export declare function getRun(server: ServerContext, name: string): Promise<RunDetail>;
export declare function runMetrics(
  server: ServerContext,
  input: { name: string; maxPoints: number },
): Promise<RunMetrics>;
