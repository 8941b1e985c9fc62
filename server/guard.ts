/**
 * Decides which requests the server answers.
 *
 * Without a token the server listens on this machine only, and the danger is other web sites in the same
 * browser: a name that resolves to 127.0.0.1 (DNS rebinding) is refused by its Host header, a page of another
 * origin by its Origin and Sec-Fetch-Site headers. With a token every call must carry it, as a bearer token or
 * in the cookie that a browser gets by opening `/?token=…` once. A second token may be given to those who should read only.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIPv4 } from 'node:net';

const cookieName = 'lazyscope_token';

export function isLoopback(hostname: string): boolean {
  const bare = hostname.toLowerCase().replace(/^\[|\]$/g, '');
  return bare === 'localhost' || bare === '::1' || (isIPv4(bare) && bare.startsWith('127.'));
}

export interface Refusal {
  status: 401 | 403 | 421;
  message: string;
}

/** What a caller may do: a reader may call queries and subscriptions, an admin mutations too. */
export type Role = 'reader' | 'admin';

/** The secrets of a server: who has the first may do everything, who has the second may only read. */
export interface Tokens {
  token?: string | undefined;
  readToken?: string | undefined;
}

type HeaderOf = (name: string) => string | undefined;

export class Guard {
  readonly #token: string | undefined;
  readonly #readToken: string | undefined;

  constructor({ token, readToken }: Tokens) {
    this.#token = token;
    this.#readToken = readToken;
  }

  /** The reason to refuse a request, whatever its path; undefined if there is none. */
  refusal(header: HeaderOf): Refusal | undefined {
    const host = header('host') ?? '';
    if (this.#token === undefined && !isLoopback(hostnameOf(host)))
      return {
        status: 421,
        message: `This server answers to localhost only, not to '${host}'. To reach it by another name, start it with --token.`,
      };
    const origin = header('origin');
    const foreign = origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
    if (foreign || header('sec-fetch-site') === 'cross-site')
      return { status: 403, message: 'Pages of other sites may not use this server.' };
    return undefined;
  }

  /** What the caller may do by the token that the request carries; undefined if it carries none, or a wrong one. */
  roleOf(header: HeaderOf): Role | undefined {
    if (this.#token === undefined) return 'admin';
    const bearer = /^Bearer (.+)$/i.exec(header('authorization') ?? '')?.[1];
    return this.#roleBy(bearer ?? cookie(header('cookie')));
  }

  /** Whether the request tries a token, in a header, its cookie or its address, that is none of the server's. */
  carriesWrongToken(header: HeaderOf, url: string): boolean {
    const inAddress = new URLSearchParams(url.split('?')[1]).get('token');
    const carried = header('authorization') !== undefined || cookie(header('cookie')) !== undefined;
    if (inAddress !== null) return !this.#roleBy(inAddress);
    return carried && !this.roleOf(header);
  }

  #roleBy(given: string | undefined): Role | undefined {
    if (given === undefined) return undefined;
    if (this.#token !== undefined && same(given, this.#token)) return 'admin';
    return this.#readToken !== undefined && same(given, this.#readToken) ? 'reader' : undefined;
  }

  /** The cookie that admits a browser from now on, if `token`, from a page's `?token=…`, is right. */
  cookieFor(token: string | null): string | undefined {
    if (this.#token === undefined || token === null || !this.#roleBy(token)) return undefined;
    return `${cookieName}=${encodeURIComponent(token)}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000`;
  }
}

function hostnameOf(host: string): string {
  return host.replace(/:\d+$/, '');
}

function cookie(header: string | undefined): string | undefined {
  const pair = header
    ?.split(';')
    .map((part) => part.trim())
    .find((part) => part.startsWith(`${cookieName}=`));
  try {
    return pair && decodeURIComponent(pair.slice(cookieName.length + 1));
  } catch {
    return undefined;
  }
}

/** Whether two texts are equal, in time that does not depend on where they differ. */
function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
