import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
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

  test('holds a bounded amount for them, refuses the next in one sentence, and lets go when they leave', async () => {
    on = await startTestServer();
    const path = on.store.runMetrics('fixture-topk');
    const writer = await MetricsWriter.open(path, 0);
    const row: MetricsRow = { step: 1, tokens: 2, seed: 0, loss: 3, mse: 4, fvu: 5, l0: 6, deadFraction: 0, learningRate: 1, sparsityCoefficient: 0, tokensPerSecond: 9 }; // prettier-ignore
    const rows = Array.from({ length: 100_000 }, (_, at) => ({ ...row, step: at }));
    // 35 MB: more than sockets hold by themselves, and ten of them are more than the budget.
    for (let part = 0; part < 4; part++) await writer.append(rows);
    await writer.close();
    const ask = async () => {
      const socket = connect(on.server.port, '127.0.0.1');
      sockets.push(socket);
      await once(socket, 'connect');
      socket.pause();
      socket.write('GET /api/arrow/metrics/fixture-topk HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
      return socket;
    };
    const waiting = async () => {
      const text = await (await fetch(`${on.server.url}/api/metrics`)).text();
      return Number(/^lazyscope_table_bytes_waiting (\d+)/m.exec(text)?.[1]);
    };
    for (let reader = 0; reader < 16; reader++) await ask();
    const address = `${on.server.url}/api/arrow/metrics/fixture-topk`;
    await vi.waitFor(async () => {
      const answer = await fetch(address);
      await answer.body?.cancel();
      expect(answer.status).toBe(503);
    }, 30_000);
    expect(await (await fetch(address)).json()).toMatchObject({
      error: { code: 'unavailable', message: expect.stringMatching(/wait for their readers/) },
    });
    // The budget, and the table that was begun below it.
    expect(await waiting()).toBeLessThan((256 + 40) << 20);
    for (const socket of sockets) socket.destroy();
    await vi.waitFor(async () => expect(await waiting()).toBe(0), 30_000);
    expect((await fetch(address)).status).toBe(200);
  }, 120_000);
});
