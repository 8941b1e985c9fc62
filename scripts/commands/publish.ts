/** `lazyscope publish`: the explorer of some runs and sparsity reports as a folder of files, for any host of static pages. */
import { Command } from 'commander';
import { bundledModels, packageVersion, putSitePages } from '../commandLine/environment.ts';
import { repeated, withStoreOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';

interface PublishFlags {
  out: string;
  report: string[];
  reports: boolean;
  tables: boolean;
}

export function publish(): Command {
  const command = new Command('publish')
    .description(
      'write the pages of runs and sparsity reports as a folder of files, which any host of static pages serves, under any path; what needs a server is left out',
    )
    .argument(
      '[runs...]',
      'names of runs; comparisons between them and the sparsity reports of their models come with them',
    )
    .requiredOption('--out <folder>', 'the folder of the site; an earlier site there is replaced')
    .option(
      '--report <name>',
      'another sparsity report; may be repeated, and given without a run',
      repeated,
      [],
    )
    .option('--no-reports', "leave out the sparsity reports of the runs' models, but for those of --report")
    .option(
      '--tables',
      "put the runs' tables beside the pages, in data/, for 'lazyscope serve --data ADDRESS/data' and for other programs",
      false,
    );
  return withStoreOptions(command).action(
    (runs: string[], { out, tables, report: reports, reports: reportsOfRuns }: PublishFlags) =>
      runCommand(command, async ({ store, report, signal, say }) => {
        const { publishSite } = await import('../../server/site/publishSite.ts');
        const site = await publishSite({
          store,
          runs,
          reports,
          reportsOfRuns,
          out,
          putPages: putSitePages,
          bundledModels: [bundledModels],
          version: packageVersion(),
          withStore: tables,
          log: (line) => say(line),
          report,
          signal,
        });
        const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
        const parts = `pages ${megabytes(site.pageBytes)} MB, answers ${megabytes(site.answerBytes)} MB${tables ? `, tables ${megabytes(site.storeBytes)} MB` : ''}`;
        return {
          document: site,
          text: `Published ${[...site.runs, ...site.reports].join(', ')} in ${site.out}: ${site.files} files, ${megabytes(site.bytes)} MB (${parts}). Any web server shows it, such as 'npx http-server ${site.out}' or 'python3 -m http.server -d ${site.out}'.`,
        };
      }),
  );
}
