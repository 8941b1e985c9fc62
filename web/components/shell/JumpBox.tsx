'use client';
import { useCallback, useEffect, useId, useRef, useState, useSyncExternalStore } from 'react';
import { useRouter } from 'next/navigation';
import { useQuery } from '@tanstack/react-query';
import { paths } from '../../client/paths.ts';
import { isServedPage, searchesWhileTyping } from '../../client/servedPages.ts';
import { useTRPC } from '../../client/trpc.ts';
import { usePaused } from '../../client/usePaused.ts';
import { matchWords } from '../search/MatchLine.tsx';
import { jumpTargets } from './jumpTargets.ts';
import { Icon } from '../ui/Icon.tsx';
import styles from './JumpBox.module.css';

/** ⌘K or Ctrl-K, and / on a page without a search of its own: type a run, a seed and a latent, a word or phrase, a label or a page, and go there. */
export function JumpBox() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  const [query, setQuery] = useState('');
  const [active, setActive] = useState(0);
  const mac = useSyncExternalStore(never, isMac, () => false);
  const router = useRouter();
  const trpc = useTRPC();
  const list = useId();

  const runs = useQuery(trpc.runs.list.queryOptions(undefined, { enabled: open }));
  const comparisons = useQuery(trpc.comparisons.list.queryOptions(undefined, { enabled: open }));
  const reports = useQuery(trpc.sparsity.list.queryOptions(undefined, { enabled: open }));
  const text = usePaused(query.trim());
  const labelled = isServedPage(paths.labels());
  const searches = isServedPage(paths.search());
  const labels = useQuery(
    trpc.labels.page.queryOptions(
      { text, limit: 12 },
      { enabled: open && labelled && text !== '', retry: false },
    ),
  );
  const found = useQuery(
    trpc.search.find.queryOptions(
      { text, limit: 5 },
      { enabled: open && searchesWhileTyping && text.length > 1, retry: false },
    ),
  );
  const targets = jumpTargets(query, {
    runs: runs.data ?? [],
    comparisons: comparisons.data ?? [],
    reports: reports.data ?? [],
    labels: (labels.data?.rows ?? []).flatMap((row) =>
      row.label === null ? [] : { ...row, label: row.label },
    ),
    found:
      text === query.trim()
        ? (found.data?.rows ?? []).map((row) => ({ ...row, why: matchWords(row).join(', ') }))
        : [],
  }).filter(({ href }) => isServedPage(href));

  const show = useCallback(() => {
    setQuery('');
    setActive(0);
    setOpen(true);
    dialog.current?.showModal();
  }, []);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const jumps = event.key.toLowerCase() === 'k' && (event.metaKey || event.ctrlKey);
      const searches = event.key === '/' && !event.metaKey && !event.ctrlKey && !event.altKey;
      if (!jumps && (!searches || isTyping(event.target))) return;
      event.preventDefault();
      const field = searches ? searchField() : undefined;
      if (field) field.select();
      else show();
    };
    window.addEventListener('keydown', listen);
    return () => window.removeEventListener('keydown', listen);
  }, [show]);

  const go = (index: number) => {
    const target = targets[index];
    if (!target) return;
    dialog.current?.close();
    router.push(target.href);
  };

  return (
    <>
      <button
        type="button"
        className={`button quiet ${styles.open}`}
        onClick={show}
        aria-keyshortcuts={mac ? 'Meta+K' : 'Control+K'}
      >
        <Icon name="search" />
        <span className={styles.hint} aria-hidden="true">
          Jump to…
        </span>
        <span className="visually-hidden">Jump to a run, feature or page</span>
        <kbd className={styles.key} aria-hidden="true">
          {mac ? '⌘K' : 'Ctrl K'}
        </kbd>
      </button>
      <dialog
        ref={dialog}
        className={styles.dialog}
        aria-label="Jump to"
        onClose={() => setOpen(false)}
        onClick={(event) => event.target === dialog.current && dialog.current?.close()}
      >
        <div className={styles.box}>
          <input
            className={styles.input}
            type="text"
            role="combobox"
            aria-expanded="true"
            aria-controls={list}
            aria-activedescendant={targets[active] ? `${list}-${active}` : undefined}
            aria-label="Run, seed and latent, word, label or page"
            placeholder={
              searches ? 'topk 0 17, a word or phrase, a label, a page…' : 'topk 0 17, a label, a page…'
            }
            autoComplete="off"
            spellCheck={false}
            value={query}
            onChange={(event) => {
              setQuery(event.target.value);
              setActive(0);
            }}
            onKeyDown={(event) => {
              if (event.key === 'ArrowDown') setActive((index) => Math.min(index + 1, targets.length - 1));
              else if (event.key === 'ArrowUp') setActive((index) => Math.max(index - 1, 0));
              else if (event.key === 'Enter') go(active);
              else return;
              event.preventDefault();
            }}
          />
          <ul id={list} role="listbox" aria-label="Places" className={styles.list}>
            {targets.map((target, index) => (
              <li
                key={`${target.kind} ${target.href}`}
                id={`${list}-${index}`}
                role="option"
                aria-selected={index === active}
                className={styles.option}
                onMouseMove={() => setActive(index)}
                onClick={() => go(index)}
              >
                <span className={styles.title}>{target.title}</span>
                <span className="xs faint">{target.kind}</span>
              </li>
            ))}
            {targets.length === 0 && <li className={styles.none}>Nothing in the store is called that.</li>}
          </ul>
          {!searches && <p className={`xs muted ${styles.said}`}>Examples are not searched here.</p>}
        </div>
      </dialog>
    </>
  );
}

/** Where a slash is a letter like any other. */
function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('input, textarea, select, dialog') !== null;
}

/** The search of the page, which selecting its text gives the focus to; undefined where it has none. */
function searchField(): HTMLInputElement | undefined {
  const fields = document.querySelectorAll<HTMLInputElement>('main input[type=search]');
  return [...fields].find((field) => field.offsetParent !== null);
}

/** The platform does not change while the page is open; the server does not know it. */
const never = () => () => {};
const isMac = () => /Mac|iPhone|iPad/.test(navigator.userAgent);
