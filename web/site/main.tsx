import { createRoot } from 'react-dom/client';
import '@fontsource-variable/inter/wght.css';
import '@fontsource-variable/jetbrains-mono/wght.css';
import '../styles/tokens.css';
import '../styles/base.css';
import '../styles/page.css';
import { SiteApp } from './SiteApp.tsx';

createRoot(document.body).render(<SiteApp />);
