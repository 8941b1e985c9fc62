import { join } from 'node:path';
import type { NextConfig } from 'next';

const config: NextConfig = {
  // The repository is one package: modules resolve from its root, and file tracing stops there.
  turbopack: { root: join(import.meta.dirname, '..') },
  outputFileTracingRoot: join(import.meta.dirname, '..'),
  // `npm test` type-checks the whole repository once; a second check here would only slow the build.
  typescript: { ignoreBuildErrors: true, tsconfigPath: 'tsconfig.json' },
  poweredByHeader: false,
  devIndicators: false,
  agentRules: false,
  // An installed package may belong to another user: what is served is never written back into it.
  experimental: { isrFlushToDisk: false },
  // Browsers ask for it by this name between two pages, while the page's own link to the icon is being replaced.
  rewrites: () => Promise.resolve([{ source: '/favicon.ico', destination: '/icon.svg' }]),
};

export default config;
