'use client';
import Link from 'next/link';
import { useRouter } from 'next/navigation';
import { useEffect } from 'react';
import { paths } from '../../client/paths.ts';
import { Icon } from '../ui/Icon.tsx';

/** Links to the previous and to the next latent; the keys ← and → do the same. */
export function LatentSteps({
  run,
  seed,
  latent,
  width,
}: {
  run: string;
  seed: number;
  latent: number;
  /** Number of latents in the dictionary; undefined until it has loaded. */
  width: number | undefined;
}) {
  const router = useRouter();
  const previous = latent > 0 ? latent - 1 : undefined;
  const next = width === undefined || latent + 1 < width ? latent + 1 : undefined;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.metaKey || event.ctrlKey || event.altKey || event.shiftKey) return;
      if ((event.target as Element).closest?.('input, textarea, select, [role=slider], dialog')) return;
      const to = { ArrowLeft: previous, ArrowRight: next }[event.key];
      if (to !== undefined) router.push(paths.feature(run, seed, to), { scroll: false });
    };
    window.addEventListener('keydown', listen);
    return () => window.removeEventListener('keydown', listen);
  }, [router, run, seed, previous, next]);
  return (
    <nav className="cluster" aria-label="Neighbouring latents">
      <Step to={previous} run={run} seed={seed} name="Previous latent" icon="left" />
      <Step to={next} run={run} seed={seed} name="Next latent" icon="right" />
    </nav>
  );
}

function Step({
  to,
  run,
  seed,
  name,
  icon,
}: {
  to: number | undefined;
  run: string;
  seed: number;
  name: string;
  icon: 'left' | 'right';
}) {
  if (to === undefined)
    return (
      <span className="button" aria-disabled="true" role="link" aria-label={name}>
        <Icon name={icon} />
      </span>
    );
  return (
    <Link href={paths.feature(run, seed, to)} className="button" aria-label={`${name}, ${to}`} scroll={false}>
      {icon === 'left' && <Icon name="left" />}
      <span className="num">{to}</span>
      {icon === 'right' && <Icon name="right" />}
    </Link>
  );
}
