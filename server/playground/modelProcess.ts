/**
 * The process in which a server keeps its model. It answers questions that come over the channel to the server, several
 * at a time: between two tokens of one text there is time for another.
 *
 * It is a process rather than a thread because TF.js and the native library are global to a process: a fault in the
 * C++ or a system that runs out of memory ends this process and not the server, and all memory is given
 * back when it ends.
 */
import { isLazyscopeError } from '../../sae/errors.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import type { FromModelProcess, Question, ToModelProcess } from './messages.ts';
import { ModelSlot } from './modelSlot.ts';

export interface ModelProcessOptions {
  store: StoreLayout;
  startBackend: () => Promise<unknown>;
  /** Ends the process. */
  signal: AbortSignal;
}

/** Answers until the server goes away or the signal is aborted. Throws where there is no channel to a server. */
export async function modelProcess({ store, startBackend, signal }: ModelProcessOptions): Promise<void> {
  const slot = new ModelSlot(store);
  const asked = new Map<number, AbortController>();
  const tell = (message: FromModelProcess) => {
    if (process.connected) process.send?.(message);
  };

  async function answer(id: number, question: Question, stopping: AbortSignal): Promise<void> {
    await startBackend();
    const { model, release } = await slot.enter(question.model);
    try {
      if (question.type === 'features')
        tell({ type: 'features', id, features: await model.features(question.request, stopping) });
      else
        for await (const event of model.steer(question.request, stopping)) tell({ type: 'event', id, event });
    } finally {
      release();
    }
  }

  async function ask(id: number, question: Question): Promise<void> {
    const stopping = new AbortController();
    asked.set(id, stopping);
    let error: Extract<FromModelProcess, { type: 'done' }>['error'] = null;
    try {
      await answer(id, question, stopping.signal);
    } catch (caught) {
      error = isLazyscopeError(caught)
        ? { code: caught.code, message: caught.message }
        : {
            code: null,
            message: caught instanceof Error ? (caught.stack ?? caught.message) : String(caught),
          };
    }
    asked.delete(id);
    // First, so that whoever is told that the question is answered finds what it left in memory.
    tell({
      type: 'memory',
      memory: {
        model: slot.model?.model.name ?? null,
        parameters: slot.model?.model.parameterCount() ?? null,
        dictionaries: slot.model?.dictionaries ?? [],
        residentBytes: process.memoryUsage.rss(),
      },
    });
    tell({ type: 'done', id, error });
  }

  await new Promise<void>((resolve) => {
    process.on('message', (message: ToModelProcess) => {
      if (message.type === 'stop') asked.get(message.id)?.abort();
      else void ask(message.id, message.question);
    });
    process.once('disconnect', resolve);
    if (signal.aborted || !process.connected) resolve();
    signal.addEventListener('abort', () => resolve());
  });
}
