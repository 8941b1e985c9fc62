/** Bundles the pages of published sites: the explorer's components with web/site in the place of what needs a server. */
import { copyFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { themeScript } from '../../web/client/themeScript.ts';
import { makeFolder } from '../../sae/store/makeFolder.ts';

/** Modules of the explorer, by what stands for them in a site. */
const replaced: Readonly<Record<string, string>> = {
  'client/browserAddress.ts': 'hashAddress.ts',
  'client/serverLinks.ts': 'siteLinks.ts',
  'client/servedPages.ts': 'pages.ts',
  'client/arrowBytes.ts': 'siteArrow.ts',
  'components/features/LabelEditor.tsx': 'PublishedLabel.tsx',
  'components/labels/ListsPanel.tsx': 'PublishedLists.tsx',
  'components/ui/StoredTableLinks.tsx': 'PublishedTables.tsx',
  'components/ui/TableLinks.tsx': 'PublishedTables.tsx',
  ...Object.fromEntries(
    [
      'components/playground/TryText.tsx',
      'components/labels/StarButton.tsx',
      'components/labels/FeatureLists.tsx',
      'components/labels/CarryLabels.tsx',
      'components/labels/ImportLabels.tsx',
      'components/labels/NoLabels.tsx',
      'components/jobs/StartJob.tsx',
      'components/jobs/ActiveJobs.tsx',
      'components/jobs/JobLines.tsx',
      'components/runs/NextSteps.tsx',
      'components/ui/Command.tsx',
      'components/search/NotSearched.tsx',
    ].map((name) => [name, 'leftOut.tsx']),
  ),
};
const packages: Readonly<Record<string, string>> = {
  'next/link': 'Link.tsx',
  'next/navigation': 'navigation.ts',
};

/** Writes index.html, scripts, styles, fonts and the icon into `out`. `root` is the checkout, whose sources are bundled. */
export async function buildPages({ root, out }: { root: string; out: string }): Promise<void> {
  const { build } = await import('esbuild');
  const web = join(root, 'web');
  const site = join(web, 'site');
  const places = new Map(Object.entries(replaced).map(([from, to]) => [join(web, from), join(site, to)]));
  makeFolder(out);
  await build({
    entryPoints: [join(site, 'main.tsx')],
    outdir: out,
    bundle: true,
    format: 'esm',
    splitting: true,
    minify: true,
    target: ['es2022'],
    jsx: 'automatic',
    absWorkingDir: root,
    chunkNames: 'chunks/[name]-[hash]',
    assetNames: 'fonts/[name]-[hash]',
    loader: { '.woff2': 'file' },
    define: { 'process.env.NODE_ENV': '"production"' },
    legalComments: 'linked',
    logLevel: 'error',
    plugins: [
      {
        name: 'what needs a server',
        setup(builder) {
          builder.onResolve({ filter: /^next\// }, ({ path }) => {
            const name = packages[path];
            if (name === undefined) throw new Error(`a published site has no '${path}'`);
            return { path: join(site, name) };
          });
          builder.onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
            const found = places.get(resolve(resolveDir, path));
            return found === undefined ? undefined : { path: found };
          });
        },
      },
    ],
  });
  await copyFile(join(site, 'index.html'), join(out, 'index.html'));
  await copyFile(join(web, 'app', 'icon.svg'), join(out, 'icon.svg'));
  await writeFile(join(out, 'theme.js'), themeScript);
}
