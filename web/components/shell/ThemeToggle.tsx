'use client';
import { useEffect, useState } from 'react';
import { Icon } from '../ui/Icon.tsx';

type Theme = 'light' | 'dark';

/**
 * Follows the system until someone chooses. The choice is applied before the first paint by `themeScript` (in
 * the page's head), so this button only has to change it.
 */
export function ThemeToggle() {
  // The theme is unknown while rendering on the server, so the markup must not depend on it.
  const [theme, setTheme] = useState<Theme | null>(null);

  useEffect(() => {
    const root = document.documentElement;
    const read = () => setTheme(root.dataset.theme === 'dark' ? 'dark' : 'light');
    read();
    const system = window.matchMedia('(prefers-color-scheme: dark)');
    const follow = () => {
      if (!localStorage.getItem('lazyscope-theme')) root.dataset.theme = system.matches ? 'dark' : 'light';
      read();
    };
    system.addEventListener('change', follow);
    return () => system.removeEventListener('change', follow);
  }, []);

  const next: Theme = theme === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      className="button quiet"
      aria-label={`Switch to the ${next} theme`}
      title={`Switch to the ${next} theme`}
      onClick={() => {
        document.documentElement.dataset.theme = next;
        localStorage.setItem('lazyscope-theme', next);
        setTheme(next);
      }}
    >
      <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
    </button>
  );
}
