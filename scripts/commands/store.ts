/** `lazyscope store`: getting a store ready for others to read over HTTP, and copying one that others made ready. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Command } from 'commander';
import { withStoreOptions } from '../commandLine/options.ts';
import { runCommand, type Session } from '../commandLine/runCommand.ts';

export function storeCommand(): Command {
  return new Command('store')
    .description('get a data folder ready to be read from a web server, or copy one from there')
    .addCommand(indexStoreCommand())
    .addCommand(fetchStoreCommand());
}

function indexStoreCommand(): Command {
  const command = new Command('index').description(
    "write store.json, which lists the data folder's files with their checksums, and labels.json; put on any web server, the folder is then opened by 'lazyscope serve --data https://…'",
  );
  return withStoreOptions(command).action(() =>
    runCommand(command, async (session) => {
      const { indexStore } = await import('../../sae/store/remote/storeFiles.ts');
      const { store, report, signal, say } = session;
      const labels = await exportLabels(session);
      const { files, leftOut } = await indexStore({ store, report, signal });
      if (leftOut.length > 0)
        say(
          `Left out, because of its name: '${leftOut[0]}'${leftOut.length > 1 ? ` and ${leftOut.length - 1} more` : ''}.`,
        );
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      return {
        document: { path: store.listing(), files: files.length, bytes, labels, leftOut },
        text: `Listed ${files.length} files (${(bytes / 1e6).toFixed(1)} MB) and ${labels} labels in ${store.listing()}.`,
      };
    }),
  );
}

function fetchStoreCommand(): Command {
  const command = new Command('fetch')
    .description(
      'copy a published store into the data folder; stopped, it goes on where it ended, and checksums are compared',
    )
    .argument('<url>', 'the address of its folder');
  return withStoreOptions(command).action((url: string) =>
    runCommand(command, async ({ store, report, signal }) => {
      const { fetchStore } = await import('../../sae/store/remote/fetchStore.ts');
      const fetched = await fetchStore({ url, store, report, signal });
      if (existsSync(store.publishedLabels()) && !existsSync(store.database())) {
        const { importPublishedLabels } = await import('../../server/publishedLabels.ts');
        await importPublishedLabels(store);
      }
      const kept = fetched.kept === 0 ? '' : `, ${fetched.kept} of them there already`;
      return {
        document: { ...fetched, data: store.root },
        text: `Fetched ${fetched.files} files (${(fetched.bytes / 1e6).toFixed(1)} MB${kept}) into ${store.root}.`,
      };
    }),
  );
}

/** Brings labels.json up to date. Returns how many labels it has. */
async function exportLabels({ store }: Session): Promise<number> {
  if (!existsSync(store.database())) {
    await rm(store.publishedLabels(), { force: true });
    return 0;
  }
  const { exportPublishedLabels } = await import('../../server/publishedLabels.ts');
  return exportPublishedLabels(store);
}
