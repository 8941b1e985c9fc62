import { createRoot } from 'react-dom/client';
import '@fontsource-variable/inter/wght.css';
import '@fontsource-variable/jetbrains-mono/wght.css';
import '../styles/tokens.css';
import '../styles/base.css';
import '../styles/page.css';
import { readParts } from './pages.ts';
import { SiteApp } from './SiteApp.tsx';
import { Unreadable } from './Unreadable.tsx';

const root = createRoot(document.body);
readParts().then(
  () => root.render(<SiteApp />),
  (error: unknown) => root.render(<Unreadable error={error} />),
);
