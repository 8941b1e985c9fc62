/** `lazyscope datasets`: what texts there are by name, and getting one from the hub. */
import { Command } from 'commander';
import { environment } from '../commandLine/environment.ts';
import { repeated, withStoreOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import { table } from '../commandLine/table.ts';

export function datasets(): Command {
  return new Command('datasets')
    .description('list data sets, or get one from the Hugging Face hub')
    .addCommand(listDatasets(), { isDefault: true })
    .addCommand(getDatasetByName());
}

function listDatasets(): Command {
  const command = new Command('list').description(
    'texts that --text takes by name: those of the package and of the data folder',
  );
  return withStoreOptions(command).action(() =>
    runCommand(command, async ({ store }) => {
      const { datasetNames } = await import('../../sae/spec/datasets.ts');
      const { fetchedDatasets } = await import('../../sae/tokens/text/fetchedDatasets.ts');
      const { textFiles } = await import('../../sae/tokens/text/textFiles.ts');
      const fetched = await Promise.all(
        (await fetchedDatasets(store.datasets())).map(async (name) => {
          const { files } = await textFiles(store.dataset(name.slice('dataset:'.length)));
          const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
          return { name, bundled: false, files: files.length, bytes };
        }),
      );
      const found = [...datasetNames.map((name) => ({ name, bundled: true })), ...fetched];
      const rows = [
        ...datasetNames.map((name) => [name, 'of the package', null, null]),
        ...fetched.map(({ name, files, bytes }) => [
          name,
          'of the data folder',
          files,
          (bytes / 1e6).toFixed(1),
        ]),
      ];
      return { document: found, text: table(['text', 'where', 'files', 'MB'], rows) };
    }),
  );
}

interface GetOptions {
  file?: string[];
  name?: string;
  revision: string;
}

function getDatasetByName(): Command {
  const command = new Command('get')
    .description(
      'download the text of a data set into the data folder, for --text dataset:NAME; an interrupted download goes on where it ended, and checksums are compared with those of the hub. HF_TOKEN is the token, HF_ENDPOINT a mirror',
    )
    .argument('<owner/name>', 'as on the hub, for example roneneldan/TinyStories')
    .option(
      '--file <path>',
      'a file or a folder of it; may be repeated; by default every file that can be read, if all are of one kind',
      repeated,
    )
    .option('--name <name>', 'what it is called here; by default as there')
    .option('--revision <name>', 'branch, tag or commit', 'main');
  return withStoreOptions(command).action((repository: string, given: GetOptions) =>
    runCommand(command, async ({ store, report, signal }) => {
      const { getDataset } = await import('../../sae/models/hub/getDataset.ts');
      const got = await getDataset({
        hub: environment.hub,
        repository,
        revision: given.revision,
        files: given.file,
        name: given.name,
        datasets: store.datasets(),
        report,
        signal,
      });
      const count = `${got.files.length} file${got.files.length === 1 ? '' : 's'}`;
      return {
        document: { repository, ...got },
        text: `Got ${count} of '${repository}' (${(got.bytes / 1e6).toFixed(1)} MB, commit ${got.commit.slice(0, 12)}): --text dataset:${got.name} reads it.`,
      };
    }),
  );
}
