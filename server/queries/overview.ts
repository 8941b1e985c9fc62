import type { ServerContext } from '../context.ts';
import type { Overview } from '../contract/overview.ts';
export declare function overview(server: ServerContext): Promise<Overview>;
