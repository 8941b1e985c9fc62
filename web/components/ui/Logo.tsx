/** The logo: a half-closed eye with a lens. */
export function Logo({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" fill="none" aria-hidden="true">
      <circle cx="10" cy="10" r="8.25" stroke="currentColor" strokeWidth="1.5" />
      <path d="M1.75 10a8.25 8.25 0 0 0 16.5 0z" fill="currentColor" opacity="0.14" />
      <path d="M1.75 10h16.5" stroke="currentColor" strokeWidth="1.5" />
      <path d="M6.2 10a3.8 3.8 0 0 0 7.6 0z" fill="var(--accent)" />
    </svg>
  );
}
