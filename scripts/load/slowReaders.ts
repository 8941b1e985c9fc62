/** Readers that ask for a large table and take nothing of it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { MetricsWriter, type MetricsRow } from '../../sae/training/metrics.ts';
import type { LoadedServer } from './loadedServer.ts';
import type { SlowReaders } from './measured.ts';

/** Run whose curves are a large table, and how many readers take nothing of it. */
const slowlyRead = { run: 'fixture-relu', readers: 24 };

export async function writeLargeCurves(store: StoreLayout): Promise<void> {
  const row: MetricsRow = { step: 1, tokens: 2, seed: 0, loss: 3, mse: 4, fvu: 0.5, l0: 6, deadFraction: 0, learningRate: 1, sparsityCoefficient: 0, tokensPerSecond: 9 }; // prettier-ignore
  const writer = await MetricsWriter.open(store.runMetrics(slowlyRead.run), 0);
  for (let part = 0; part < 5; part++)
    await writer.append(
      Array.from({ length: 60_000 }, (_, at) => ({ ...row, step: part * 60_000 + at + 1 })),
    );
  await writer.close();
}

/** Asks, waits and leaves; how many files stay open is not known yet. */
export async function readersThatTakeNothing(server: LoadedServer): Promise<Omit<SlowReaders, 'openAfter'>> {
  const path = `/api/arrow/metrics/${slowlyRead.run}`;
  const sockets: Socket[] = [];
  const before = await server.figure('process_resident_memory_bytes');
  let risen = 0;
  for (let reader = 0; reader < slowlyRead.readers; reader++) {
    const socket = connect(server.port, '127.0.0.1');
    sockets.push(socket);
    // A server that is stopped meanwhile resets it.
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
    await sleep(100);
    const resident = await server.figure('process_resident_memory_bytes');
    risen = Math.max(risen, resident - before);
  }
  for (const socket of sockets) socket.destroy();
  return { readers: slowlyRead.readers, risenMb: Math.round(risen / 2 ** 20) };
}
