/** Opens the queue in Redis of a data folder, for a server or for a command that puts jobs into it. */
import type { StoreLayout } from '../../sae/store/layout.ts';
import type { Queue } from '../jobs/queue.ts';
import type { Log } from '../log.ts';
import { Broker } from './broker.ts';
import { queueAddress } from './queueAddress.ts';
import { makeQueueId } from './queueId.ts';
import { RedisQueue } from './redisQueue.ts';

export interface RedisQueueOptions {
  store: StoreLayout;
  /** `redis://host:6379` */
  address: string;
  password?: string | undefined;
  log: Log;
  /** Jobs that ran without workers. */
  past?: Queue;
}

/** Throws 'bad_input' for what is no address or is refused, 'unavailable' where no Redis answers. */
export async function openRedisQueue({
  store,
  address,
  password,
  log,
  past,
}: RedisQueueOptions): Promise<RedisQueue> {
  const broker = await Broker.open(queueAddress(address, password), await makeQueueId(store), log);
  try {
    return await RedisQueue.open(broker, log, past);
  } catch (error) {
    await broker.close();
    throw error;
  }
}
