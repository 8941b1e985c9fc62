/** `lazyscope store`: getting a store ready for others to read over HTTP, and copying stores from there, from a bucket and into one. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Command } from 'commander';
import { withStoreOptions } from '../commandLine/options.ts';
import { bucketOf, sourceOf } from '../commandLine/publishedStore.ts';
import { runCommand, type Session } from '../commandLine/runCommand.ts';

export function storeCommand(): Command {
  return new Command('store')
    .description(
      'get a data folder ready to be read from a web server, copy one from there, or from and into a bucket',
    )
    .addCommand(indexStoreCommand())
    .addCommand(fetchStoreCommand())
    .addCommand(uploadStoreCommand());
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
      await sayNoFolders(session);
      const { files, leftOut } = await indexStore({ store, report, signal });
      sayLeftOut(leftOut, say);
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
      'copy a published store, or one in a bucket, into the data folder; stopped, it goes on where it ended, and checksums are compared',
    )
    .argument('<url>', 'the address of its folder, or s3://bucket/prefix');
  return withStoreOptions(command).action((url: string) =>
    runCommand(command, async ({ store, report, signal }) => {
      const { fetchStore } = await import('../../sae/store/remote/fetchStore.ts');
      const { source, close } = await sourceOf(url, signal);
      const fetched = await fetchStore({ source, store, report });
      close();
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

function uploadStoreCommand(): Command {
  const command = new Command('upload')
    .description(
      'copy the data folder into a bucket, with labels.json; stopped, it goes on where it ended, and what is there with another content is refused',
    )
    .argument('<url>', 's3://bucket/prefix');
  return withStoreOptions(command).action((url: string) =>
    runCommand(command, async (session) => {
      const { uploadStore } = await import('../../sae/store/remote/s3/uploadStore.ts');
      const { store, report, signal, say } = session;
      const labels = await exportLabels(session);
      await sayNoFolders(session);
      const bucket = await bucketOf(url, signal);
      const { leftOut, ...sent } = await uploadStore({ bucket, store, report, signal });
      bucket.close();
      sayLeftOut(leftOut, say);
      const kept = sent.kept === 0 ? '' : `, ${sent.kept} of them there already`;
      return {
        document: { ...sent, labels, leftOut },
        text: `Uploaded ${sent.files} files (${(sent.bytes / 1e6).toFixed(1)} MB${kept}) and ${labels} labels to ${sent.url}.`,
      };
    }),
  );
}

function sayLeftOut(leftOut: readonly string[], say: Session['say']): void {
  if (leftOut.length > 0)
    say(
      `Left out, because of its name: '${leftOut[0]}'${leftOut.length > 1 ? ` and ${leftOut.length - 1} more` : ''}.`,
    );
}

/** Others get no folders of this machine to see. */
async function sayNoFolders({ store, say }: Session): Promise<void> {
  const { forgetModelFolders } = await import('../../sae/models/forgetModelFolders.ts');
  const found = await forgetModelFolders(store);
  if (found > 0)
    say(
      `${found} captures or reports named the folder of their model on this machine; they name the model alone now.`,
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
