/** The answers about a sparsity report: its curves, its neurons, and the neurons that latents are aligned with. */
import { existsSync } from 'node:fs';
import { pause } from '../../sae/pause.ts';
import type { SparsityReport } from '../../sae/spec/manifests/sparsityReport.ts';
import { neuronKey, siteFiles } from '../../sae/spec/site/answerPlace.ts';
import type { NeuronsFile } from '../../sae/spec/site/siteContent.ts';
import { sparsityNeuronTable } from '../../sae/spec/tables/sparsityNeurons.ts';
import { queryColumns } from '../../sae/store/readColumns.ts';
import { columnList, storedTable } from '../../sae/store/tableSql.ts';
import type { ServerContext } from '../context.ts';
import { modelOfRun } from '../queries/dictionaries.ts';
import { neuronAlignment } from '../queries/neuronAlignment.ts';
import type { NeuronColumns } from '../queries/neuronRows.ts';
import { neuronFindings, nothingFound } from '../queries/neurons.ts';
import { getSparsity } from '../queries/sparsity.ts';
import { plainColumn } from './plainColumn.ts';
import type { AnswerOptions } from './answerOptions.ts';

export async function reportAnswers(options: AnswerOptions, measured: SparsityReport): Promise<void> {
  const { server, files, report, signal } = options;
  const { name, model, layers } = measured;
  const reader = server.tokens.of(model);
  await files.add({ procedure: 'sparsity.get', input: { name } }, reader, () => getSparsity(server, name));
  await alignments(options, measured);
  const total = layers.reduce((sum, { neurons }) => sum + neurons, 0);
  let done = 0;
  for (const { layer } of layers) {
    const own = await neuronsOf(server, name, layer);
    const content: NeuronsFile = {
      vocabulary: files.vocabulary(reader),
      model: model.name,
      activation: model.activation,
      columns: Object.fromEntries(
        Object.entries(own).map(([column, values]) => [column, plainColumn(values)]),
      ),
    };
    await files.write(siteFiles.neurons(name, layer), content);
    const findings = await neuronFindings(server, measured, { layer });
    for (const neuron of own.neuron) {
      const file = siteFiles.neuronBlock(name, layer, neuron);
      files.put(file, neuronKey(neuron), reader, findings.get(neuron) ?? nothingFound());
      if (siteFiles.neuronBlock(name, layer, neuron + 1) !== file) {
        await files.flush();
        await pause(signal, 'publishing');
      }
    }
    await files.flush();
    done += own.neuron.length;
    report({ stage: `publish: ${name}`, done, total, unit: 'neurons' });
  }
}

async function alignments({ server, runs, files }: AnswerOptions, measured: SparsityReport): Promise<void> {
  const { name, model } = measured;
  for (const run of runs) {
    const own = await modelOfRun(server, run);
    if (own?.name !== model.name) continue;
    for (const seed of run.config.seeds) {
      if (!existsSync(server.store.loadings(run.name, seed))) continue;
      const input = { name, run: run.name, seed };
      await files.add({ procedure: 'sparsity.neuronAlignment', input }, server.tokens.of(own), () =>
        neuronAlignment(server, input),
      );
    }
  }
}

function neuronsOf({ store }: ServerContext, name: string, layer: number): Promise<NeuronColumns> {
  const table = sparsityNeuronTable;
  return queryColumns(
    table,
    `SELECT ${columnList(table)} FROM ${storedTable(table)} WHERE layer = $layer ORDER BY neuron`,
    { path: store.sparsityTable(name, 'neurons'), layer },
  );
}
