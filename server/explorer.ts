/** The explorer's pages, by Next.js inside this process. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ensureExplorerBuilt } from './explorerBuild.ts';
import type { ExplorerOptions } from './explorerBuild.ts';

export interface Explorer {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  close(): Promise<void>;
}

export async function startExplorer(
  options: ExplorerOptions & { hostname: string; port: number },
): Promise<Explorer> {
  const { web, hostname, port } = options;
  await ensureExplorerBuilt(options);
  // React and Next choose their builds by this when they are loaded.
  Object.assign(process.env, { NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' });
  const { default: next } = await import('next');
  const app = next({ dev: false, dir: web, hostname, port, quiet: true });
  await app.prepare();
  return { handle: app.getRequestHandler(), close: () => app.close() };
}
