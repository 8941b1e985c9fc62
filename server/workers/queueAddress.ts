/** Where a Redis is, as `--queue` says it. What is shown of it never holds a user's name or password. */
import type { RedisOptions } from 'ioredis';
import { LazyscopeError } from '../../sae/errors.ts';

export interface QueueAddress {
  readonly connection: RedisOptions;
  /** `redis://host:6379/0`, without credentials. */
  readonly shown: string;
}

/**
 * Reads `redis://[user[:password]@]host[:port][/database]`, or `rediss://…` for TLS. `password` counts where the address has none.
 * Throws 'bad_input'; the error doesn't repeat the address, which may hold a password.
 */
export function queueAddress(text: string, password?: string): QueueAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'redis:' && url?.protocol !== 'rediss:')
    throw new LazyscopeError(
      'bad_input',
      '--queue takes the address of a Redis: redis://host:6379, or rediss://host:6379 for TLS.',
    );
  const database = /^\/?(\d{0,4})$/.exec(url.pathname)?.[1];
  if (url.hostname === '' || database === undefined || url.search !== '' || url.hash !== '')
    throw new LazyscopeError(
      'bad_input',
      '--queue has more than a Redis needs, or no host: give redis://host:6379, with /N for database N.',
    );
  const tls = url.protocol === 'rediss:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? 6379 : Number(url.port);
  const secret = url.password === '' ? password : decodeURIComponent(url.password);
  return {
    connection: {
      host,
      port,
      db: Number(database),
      ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
      ...(secret === undefined ? {} : { password: secret }),
      ...(tls ? { tls: {} } : {}),
    },
    shown: `${url.protocol}//${url.hostname}:${port}/${Number(database)}`,
  };
}
