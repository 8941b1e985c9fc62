/** Whether a page can be opened here. The explorer serves every page of its own; in a published site, which has fewer, web/site/pages.ts stands for this. */
export function isServedPage(address: string): boolean {
  return address.startsWith('/');
}

/** Whether features are searched for what is typed into the jump box, before anybody asks for a search. */
export const searchesWhileTyping: boolean = true;
