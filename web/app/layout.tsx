import type { Metadata, Viewport } from 'next';
import type { ReactNode } from 'react';
import '@fontsource-variable/inter/wght.css';
import '@fontsource-variable/jetbrains-mono/wght.css';
import '../styles/tokens.css';
import '../styles/base.css';
import '../styles/page.css';
import { themeScript } from '../client/themeScript.ts';
import { AppHeader } from '../components/shell/AppHeader.tsx';
import { FocusAfterNavigation } from '../components/shell/FocusAfterNavigation.tsx';
import { Providers } from '../components/shell/Providers.tsx';

export const metadata: Metadata = {
  title: { default: 'Lazyscope', template: '%s · Lazyscope' },
  description:
    'Which features come back when only the seed changes, and how lazy are the neurons? Sparse autoencoders and activation sparsity, side by side.',
};

export const viewport: Viewport = {
  width: 'device-width',
  initialScale: 1,
  themeColor: [
    { media: '(prefers-color-scheme: light)', color: '#fbfbf9' },
    { media: '(prefers-color-scheme: dark)', color: '#111214' },
  ],
};

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    // The script sets the theme on this element before React arrives.
    <html lang="en" suppressHydrationWarning>
      <head>
        <script dangerouslySetInnerHTML={{ __html: themeScript }} />
      </head>
      <body>
        <a href="#content" className="skip-link">
          Skip to the content
        </a>
        <Providers>
          <AppHeader />
          <FocusAfterNavigation />
          <main id="content" className="page" tabIndex={-1}>
            {children}
          </main>
        </Providers>
      </body>
    </html>
  );
}
