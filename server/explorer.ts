/** Serves the explorer's pages by Next.js inside this process. */
import { existsSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { NextServer, NextServerOptions } from 'next/dist/server/next.js';
import { LazyscopeError } from '../sae/errors.ts';
import { ensureExplorerBuilt } from './explorerBuild.ts';
import type { Log } from './log.ts';

export interface ExplorerPlace {
  /** The folder of the Next.js app. */
  web: string;
  /** The root of the checkout whose sources it is built from. Absent where it came built, in an installed package. */
  root?: string;
}

export interface Explorer {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  close(): Promise<void>;
}

/** What the package's CommonJS entry is; its types say it as an ES module's, which `import` doesn't find there. */
type CreateServer = (
  options: NextServerOptions,
) => Pick<NextServer, 'prepare' | 'getRequestHandler' | 'close'>;

const require = createRequire(import.meta.url);

/** Throws `unavailable` when the explorer can't be built, or was not in the installed package. */
export async function startExplorer(
  options: ExplorerPlace & { log: Log; hostname: string; port: number },
): Promise<Explorer> {
  const { web, root, log, hostname, port } = options;
  if (root !== undefined) await ensureExplorerBuilt({ web, root, log });
  else if (!existsSync(join(web, '.next', 'BUILD_ID')))
    throw new LazyscopeError(
      'unavailable',
      `The explorer is missing from '${web}': install lazyscope again, or serve the API alone with --no-explorer.`,
    );
  // React and Next read NODE_ENV when they are loaded and choose their builds by it.
  Object.assign(process.env, { NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' });
  const next = require('next') as CreateServer;
  const app = next({ dev: false, dir: web, hostname, port, quiet: true });
  await app.prepare();
  return { handle: app.getRequestHandler(), close: () => app.close() };
}
