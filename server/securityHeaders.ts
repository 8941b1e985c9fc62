/** Headers that every answer of the server carries, and those of the explorer's pages. */
import type { ServerResponse } from 'node:http';

/**
 * Next.js writes its data into inline scripts that differ from page to page, and Observable Plot sets styles, so inline
 * ones are allowed; what the policy forbids is everything that comes from, or goes to, another place.
 */
const pagePolicy = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** To be called before anything is written. `page`: the answer is one of the explorer's. */
export function setSecurityHeaders(response: ServerResponse, { page }: { page: boolean }): void {
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('x-frame-options', 'DENY');
  response.setHeader('referrer-policy', 'same-origin');
  response.setHeader('cross-origin-opener-policy', 'same-origin');
  response.setHeader('cross-origin-resource-policy', 'same-origin');
  response.setHeader(
    'content-security-policy',
    page ? pagePolicy : "default-src 'none'; frame-ancestors 'none'",
  );
}
