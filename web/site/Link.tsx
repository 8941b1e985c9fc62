/** What the explorer's components use of next/link. A link to a page that needs a server is its text alone, and a button for one is left out. */
import type { AnchorHTMLAttributes, MouseEvent } from 'react';
import { isServedPage } from './pages.ts';
import { useRouter } from './navigation.ts';

type LinkProps = AnchorHTMLAttributes<HTMLAnchorElement> & {
  href: string;
  scroll?: boolean;
};

export default function Link({ href, scroll, onClick, ...rest }: LinkProps) {
  const router = useRouter();
  if (!isServedPage(href)) return isInText(rest.className) ? <span>{rest.children}</span> : null;
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    // The browser opens other tabs and windows itself.
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (event.defaultPrevented || !plain || rest.target) return;
    event.preventDefault();
    router.push(href, scroll === undefined ? {} : { scroll });
  };
  return <a href={`#${href}`} onClick={follow} {...rest} />;
}

/** Buttons and entries of lists have a class of their own. */
const isInText = (className: string | undefined) => className === undefined || className === 'plain';
