/** The processes but 0 of a training whose latents are spread over processes: they do what process 0 tells them, and write nothing. */
import { parseExclusionRule } from '../../activations/exclusionRule.ts';
import { openCapture } from '../../activations/openCapture.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import type { StoreLayout } from '../../store/layout.ts';
import { captureBatches } from '../captureBatches.ts';
import { checkConfig } from '../checkConfig.ts';
import { type DictionaryState, Trainer } from '../trainer.ts';
import type { TrainingConfig } from '../../spec/architectures/architectures.ts';
import { hooksOf } from '../../spec/hooksOf.ts';
import { totalSteps } from '../schedules.ts';
import type { Communicator } from './communicator.ts';
import { gatherDictionary, scatterDictionary } from './latentShare.ts';
import { failsEverywhere } from './leadTraining.ts';
import { type Begin, receive } from './orders.ts';
import { spreadOver } from './spreadOver.ts';

/** Trains what process 0 trains, until it leaves. Throws `not_found` or `corrupt` where the capture isn't what process 0 has. */
export async function followTraining(store: StoreLayout, communicator: Communicator): Promise<void> {
  for (;;) {
    const order = receive(communicator);
    if (order.order === 'leave') return;
    if (order.order === 'begin') await followRun(store, communicator, order);
  }
}

async function followRun(store: StoreLayout, communicator: Communicator, begin: Begin): Promise<void> {
  const config = checkConfig(begin.config as TrainingConfig);
  const { step, scale, shape, states } = begin;
  const dictionaries = states.map((state): DictionaryState => {
    const sinceFired = new Float64Array(shape.width);
    communicator.broadcast(sinceFired);
    const part = () => scatterDictionary(communicator, null, shape);
    return { parameters: part(), first: part(), second: part(), sinceFired, state };
  });
  const own = fusedKernels();
  const capture = await openCapture(store, config.capture, {
    hooks: hooksOf(config),
    asStored: own.hostBatch !== undefined,
  });
  const { source } = await captureBatches(capture, config, parseExclusionRule(begin.exclusion));
  source.restore(begin.source);
  const kernels = spreadOver(own, communicator, config.width);
  const trainer = new Trainer(config, source, { step, scale, dictionaries }, kernels);
  try {
    await source.toDevices?.([own], (totalSteps(config) - step) * config.batchSize);
    for (;;) {
      const order = receive(communicator);
      if (order.order === 'end') return;
      if (order.order === 'advance')
        await trainer.advance(order.withLoss).catch((error: unknown) => {
          if (!failsEverywhere(error)) throw error;
        });
      if (order.order === 'gather state')
        for (const { parameters, first, second } of trainer.state().dictionaries)
          for (const part of [parameters, first, second]) gatherDictionary(communicator, part, config.width);
      if (order.order === 'gather parameters')
        gatherDictionary(communicator, trainer.state().dictionaries[order.index].parameters, config.width);
    }
  } finally {
    trainer.dispose();
    await source.close?.();
    capture.close();
  }
}
