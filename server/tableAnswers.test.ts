import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { MetricsWriter, type MetricsRow } from '../sae/training/metrics.ts';
import { TableAnswers } from './tableAnswers.ts';
import { startTestServer, type TestServer } from './testServer.ts';

const table = (bytes: number) => Promise.resolve(new Uint8Array(bytes).map((_, at) => at % 251));

describe('a table that is answered', () => {
  test('arrives whole', async () => {
    const answers = new TableAnswers();
    const stream = await answers.answer(() => table(1_000_001));
    expect(answers.waiting).toBe(1_000_001);
    const bytes = await new Response(stream).bytes();
    expect(Buffer.compare(bytes, await table(1_000_001))).toBe(0);
    expect(answers.waiting).toBe(0);
  });

  test('counts until its reader has taken it, and no other is made beyond the budget', async () => {
    const answers = new TableAnswers({ most: 2_000_000 });
    const slow = await answers.answer(() => table(1_500_000));
    const second = await answers.answer(() => table(1_500_000));
    const never = vi.fn(() => table(1));
    await expect(answers.answer(never)).rejects.toMatchObject({ code: 'unavailable' });
    expect(never).not.toHaveBeenCalled();
    await second.cancel();
    const { value } = await slow.getReader().read();
    expect(answers.waiting).toBe(1_500_000 - (value?.length ?? 0));
    expect((await answers.answer(() => table(7))) instanceof ReadableStream).toBe(true);
  });

  test('is taken back from a reader that stops reading', async () => {
    const answers = new TableAnswers({ patience: 20 });
    const reader = (await answers.answer(() => table(1_000_000))).getReader();
    await reader.read();
    await vi.waitFor(() => expect(answers.waiting).toBe(0));
    await expect(reader.read()).rejects.toThrow(/took nothing/);
  });

  test('that can’t be made leaves nothing waiting', async () => {
    const answers = new TableAnswers();
    await expect(answers.answer(() => Promise.reject(new Error('no table')))).rejects.toThrow('no table');
    expect(answers.waiting).toBe(0);
    expect(await new Response(await answers.answer(() => table(3))).bytes()).toHaveLength(3);
  });
});

describe('a server with readers that take nothing', () => {
  let on: TestServer;
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await on.stop();
  });

  test('holds a little for each, and lets go when they leave', async () => {
    on = await startTestServer();
    const path = on.store.runMetrics('fixture-topk');
    const writer = await MetricsWriter.open(path, 0);
    const row: MetricsRow = { step: 1, tokens: 2, seed: 0, loss: 3, mse: 4, fvu: 5, l0: 6, deadFraction: 0, learningRate: 1, sparsityCoefficient: 0, tokensPerSecond: 9 }; // prettier-ignore
    const rows = Array.from({ length: 100_000 }, (_, at) => ({ ...row, step: at }));
    // 32 MB: much more than sockets hold by themselves.
    for (let part = 0; part < 4; part++) await writer.append(rows);
    await writer.close();
    const readers = 16;
    const openFiles = async () =>
      Number(
        /^process_open_fds (\d+)/m.exec(await (await fetch(`${on.server.url}/api/metrics`)).text())?.[1],
      );
    const before = await openFiles();
    const bytesBefore = process.memoryUsage().external;
    for (let reader = 0; reader < readers; reader++) {
      const socket = connect(on.server.port, '127.0.0.1');
      sockets.push(socket);
      await once(socket, 'connect');
      socket.pause();
      socket.write('GET /api/arrow/metrics/fixture-topk HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    }
    // A connection at both ends, and the file.
    await vi.waitFor(
      async () => expect(await openFiles()).toBeGreaterThanOrEqual(before + 3 * readers),
      30_000,
    );
    await sleep(1_000);
    // A few MB each, where 512 MB were asked for.
    expect(process.memoryUsage().external - bytesBefore).toBeLessThan(100 << 20);
    for (const socket of sockets) socket.destroy();
    await vi.waitFor(async () => expect(await openFiles()).toBeLessThan(before + readers), 30_000);
    expect((await fetch(`${on.server.url}/api/arrow/metrics/fixture-topk`)).status).toBe(200);
  }, 120_000);
});
