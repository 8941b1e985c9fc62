import Link from 'next/link';
import { Fragment, type ReactNode } from 'react';
import { CopyLink } from './CopyLink.tsx';
import styles from './PageHeader.module.css';

export interface Crumb {
  name: string;
  href: string;
}

export function PageHeader({
  title,
  crumbs = [],
  tags,
  actions,
  children,
}: {
  title: ReactNode;
  crumbs?: readonly Crumb[];
  tags?: ReactNode;
  actions?: ReactNode;
  /** One or two lines under the title that describe the page. */
  children?: ReactNode;
}) {
  return (
    <div className={styles.header}>
      <div className={styles.words}>
        {crumbs.length > 0 && (
          <nav aria-label="Breadcrumbs" className={styles.crumbs}>
            {crumbs.map((crumb) => (
              <Fragment key={crumb.href}>
                <Link href={crumb.href} className="plain">
                  {crumb.name}
                </Link>
                <span aria-hidden="true">/</span>
              </Fragment>
            ))}
          </nav>
        )}
        <div className={styles.line}>
          <h1>{title}</h1>
          {tags}
        </div>
        {children && <div className={styles.lead}>{children}</div>}
      </div>
      <div className={styles.actions}>
        {actions}
        <CopyLink />
      </div>
    </div>
  );
}
