'use client';
import { usePathname } from 'next/navigation';
import { useEffect, useRef } from 'react';

/**
 * Moves the focus to the content when another page has taken the place of the one before, as a loaded page would begin anew.
 * Otherwise it would stay on a link that is gone, and the next Tab begin at the top of the document. A page that keeps what
 * had the focus, as stepping through latents does, keeps the focus too.
 */
export function FocusAfterNavigation() {
  const path = usePathname();
  const before = useRef(path);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    const content = document.getElementById('content');
    if (content && !content.contains(document.activeElement)) content.focus({ preventScroll: true });
  }, [path]);
  return null;
}
