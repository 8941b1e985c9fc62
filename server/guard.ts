/**
 * Decides which requests the server answers.
 *
 * Without a token the server listens on this machine only, and the danger is other web sites in the same
 * browser: a name that resolves to 127.0.0.1 (DNS rebinding) is refused by its Host header, a page of another
 * origin by its Origin and Sec-Fetch-Site headers. With a token every call must carry it, as a bearer token or
 * in the cookie that a browser gets by opening `/?token=…` once.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

const cookieName = 'lazyscope_token';

export function isLoopback(hostname: string): boolean {
  const bare = hostname.toLowerCase().replace(/^\[|\]$/g, '');
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare);
}

export interface Refusal {
  status: 401 | 403 | 421;
  message: string;
}

type HeaderOf = (name: string) => string | undefined;

export class Guard {
  readonly #token: string | undefined;

  constructor(token: string | undefined) {
    this.#token = token;
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

  /** Whether the request carries the token, if one is needed. */
  admits(header: HeaderOf): boolean {
    if (this.#token === undefined) return true;
    const bearer = /^Bearer (.+)$/i.exec(header('authorization') ?? '')?.[1];
    const given = bearer ?? cookie(header('cookie'));
    return given !== undefined && same(given, this.#token);
  }

  /** The cookie that admits a browser from now on, if `token`, from a page's `?token=…`, is right. */
  cookieFor(token: string | null): string | undefined {
    if (this.#token === undefined || token === null || !same(token, this.#token)) return undefined;
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
