/** `lazyscope tensorflow`: puts the tensorflow backend together from the TensorFlow that is at hand, says what is there, and removes it. */
import { Command } from 'commander';
import { withOutputOption } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';

export function tensorflow(): Command {
  return new Command('tensorflow')
    .description("install TensorFlow's C library for --backend tensorflow, look at it, or remove it")
    .addCommand(install())
    .addCommand(status(), { isDefault: true })
    .addCommand(uninstall());
}

interface InstallFlags {
  from?: string;
  wheel?: string;
  package?: string;
  headers?: string;
}

function install(): Command {
  const command = new Command('install')
    .description(
      "take libtensorflow from Python's TensorFlow, a folder or a wheel, and compile the add-on that binds it; by default the TensorFlow of the Python on the path",
    )
    .option('--from <folder>', 'a site-packages folder that has tensorflow, or an unpacked libtensorflow')
    .option('--wheel <file>', 'a wheel of tensorflow or tensorflow-cpu; only what is needed is unpacked')
    .option(
      '--package <file>',
      'the tarball of @tensorflow/tfjs-node-gpu, which has the sources of the add-on; fetched by npm when left out',
    )
    .option(
      '--headers <folder>',
      "the folder with node_api.h; that of the running Node when left out, or npm's",
    );
  return withOutputOption(command).action((given: InstallFlags) =>
    runCommand(command, async ({ say, signal }) => {
      const { installTensorflow } =
        await import('../../sae/backends/tensorflow/installation/installTensorflow.ts');
      const { describeTried } = await import('../../sae/backends/tensorflow/installation/tryAddon.ts');
      const { from, wheel, headers } = given;
      const { folder, installation, complaints } = await installTensorflow({ from, wheel, package: given.package, headers, say, signal }); // prettier-ignore
      const lines = [
        `Installed ${describeTried({ ...installation, complaints }, installation.source)}.`,
        ...complaints.map((line) => `TensorFlow says: ${line}`),
        `It is in ${folder}: use it with --backend tensorflow.`,
      ];
      return { document: { folder, ...installation, complaints }, text: lines.join('\n') };
    }),
  );
}

function status(): Command {
  const command = new Command('status').description(
    'load what is installed, and say what it is and what it computes on',
  );
  return withOutputOption(command).action(() =>
    runCommand(command, async ({ signal }) => {
      const { findAddon } = await import('../../sae/backends/tensorflow/installation/installation.ts');
      const { describeTried, tryAddon } =
        await import('../../sae/backends/tensorflow/installation/tryAddon.ts');
      const place = findAddon();
      const tried = await tryAddon(place, signal);
      const lines = [
        `${describeTried(tried, place.source)}.`,
        ...tried.complaints.map((line) => `TensorFlow says: ${line}`),
      ];
      return { document: { ...place, ...tried }, text: lines.join('\n') };
    }),
  );
}

function uninstall(): Command {
  const command = new Command('uninstall').description('remove what install made');
  return withOutputOption(command).action(() =>
    runCommand(command, async () => {
      const { uninstallTensorflow } =
        await import('../../sae/backends/tensorflow/installation/installTensorflow.ts');
      const { folder, removed } = uninstallTensorflow();
      return {
        document: { folder, removed },
        text: removed ? `Removed ${folder}.` : `There was nothing in ${folder}.`,
      };
    }),
  );
}
