/** A TCP proxy that makes a server of this machine as far away as one of another, for measurements: what passes comes later, and no faster than a link lets it. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface SlowLink {
  endpoint: string;
  /** Bytes that came from the server. */
  received(): number;
  close(): Promise<void>;
}

/** `latency` is milliseconds there and back; `bytesPerSecond` of all connections together, each way. */
export async function startSlowLink(
  target: string,
  { latency, bytesPerSecond }: { latency: number; bytesPerSecond: number },
): Promise<SlowLink> {
  const { hostname, port } = new URL(target);
  let received = 0;
  const pass = (count: (bytes: number) => void) => {
    /** When the link has sent what was given to it. */
    let free = 0;
    return (from: Socket, to: Socket) => {
      // Timers of one moment may fire in any order.
      const waiting: (() => void)[] = [];
      const later = (work: () => void, milliseconds: number) => {
        waiting.push(work);
        setTimeout(() => waiting.shift()?.(), milliseconds);
      };
      from.on('data', (chunk: Buffer) => {
        count(chunk.length);
        free = Math.max(free, performance.now()) + (chunk.length / bytesPerSecond) * 1000;
        const wait = free + latency / 2 - performance.now();
        // A sender is not told that a slow link is full, so it is held back here.
        if (free - performance.now() > 50) {
          from.pause();
          setTimeout(() => from.resume(), free - performance.now());
        }
        later(() => to.writable && to.write(chunk), wait);
      });
      from.on('end', () => later(() => to.end(), Math.max(0, free - performance.now()) + latency / 2 + 1));
      from.on('error', () => to.destroy());
    };
  };
  const [there, back] = [pass(() => {}), pass((bytes) => (received += bytes))];
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    there(client, upstream);
    back(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: () => received,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
