/** The explorer's address in the browser: path and parameters. A published site keeps it elsewhere (web/site/hashAddress.ts). */
export const browserAddress = {
  path: () => window.location.pathname,
  search: () => window.location.search,
  /** Puts an address into the history, as a new entry or in the place of the one that is there. */
  push: (address: string) => window.history.pushState(null, '', address),
  replace: (address: string) => window.history.replaceState(null, '', address),
};
