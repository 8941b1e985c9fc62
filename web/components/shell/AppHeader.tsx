'use client';
import Link from 'next/link';
import { usePathname } from 'next/navigation';
import { paths } from '../../client/paths.ts';
import styles from './AppHeader.module.css';
import { Icon, type IconName } from '../ui/Icon.tsx';
import { JumpBox } from './JumpBox.tsx';
import { Logo } from '../ui/Logo.tsx';
import { ThemeToggle } from './ThemeToggle.tsx';

/** `brief`: for the bar of a phone, where all have to fit side by side. */
const sections: { href: string; name: string; brief?: string; icon: IconName }[] = [
  { href: paths.overview(), name: 'Overview', brief: 'Home', icon: 'overview' },
  { href: paths.runs(), name: 'Runs', icon: 'runs' },
  { href: paths.comparisons(), name: 'Compare', icon: 'compare' },
  { href: paths.playground(), name: 'Playground', brief: 'Play', icon: 'playground' },
  { href: paths.search(), name: 'Search', icon: 'search' },
  { href: paths.labels(), name: 'Labels', icon: 'label' },
  { href: paths.lazy(), name: 'Lazy neurons', brief: 'Neurons', icon: 'lazy' },
  { href: paths.jobs(), name: 'Jobs', icon: 'jobs' },
];

export function AppHeader() {
  const path = usePathname();
  return (
    <header className={styles.header}>
      <div className={styles.inner}>
        <Link href="/" className={styles.brand}>
          <Logo />
          <span>Lazyscope</span>
        </Link>
        {/* One list of sections: across the top where there is room, along the bottom where thumbs are. */}
        <nav className={styles.nav} aria-label="Sections">
          {sections.map((section) => {
            const here = section.href === '/' ? path === '/' : path.startsWith(section.href);
            return (
              <Link
                key={section.href}
                href={section.href}
                className={styles.link}
                aria-current={here ? 'page' : undefined}
              >
                <span className={styles.icon}>
                  <Icon name={section.icon} size={18} />
                </span>
                <span className={styles.name}>{section.name}</span>
                <span className={styles.brief}>{section.brief ?? section.name}</span>
              </Link>
            );
          })}
        </nav>
        <div className={styles.tools}>
          <JumpBox />
          <ThemeToggle />
        </div>
      </div>
    </header>
  );
}
