/** The few signs of the interface, drawn on one 16-pixel grid with one stroke. */
const drawings = {
  overview: 'M2.5 2.5h4.5v4.5h-4.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5h-4.5zM9 9h4.5v4.5H9z',
  runs: 'M2.5 13.5v-11M2.5 13.5h11M4.8 4c1.2 5.2 3.4 6.6 8 6.8',
  compare: 'M1.8 8a4 4 0 1 0 8 0a4 4 0 1 0-8 0M6.2 8a4 4 0 1 0 8 0a4 4 0 1 0-8 0',
  lazy: 'M2 8.5h12M4.6 8.5a3.4 3.4 0 0 0 6.8 0M3.4 11.6l-1 1.1M12.6 11.6l1 1.1M8 13.3v1.2',
  playground: 'M2.5 3h11v7.5H7L4.2 13v-2.5H2.5zM5 5.8h6M5 7.8h3.5',
  jobs: 'M5 3.5l7 4.5-7 4.5z',
  sun: 'M8 5.2a2.8 2.8 0 1 0 .01 0M8 1.6v1.3M8 13.1v1.3M1.6 8h1.3M13.1 8h1.3M3.5 3.5l.9.9M11.6 11.6l.9.9M12.5 3.5l-.9.9M4.4 11.6l-.9.9',
  moon: 'M13 9.6A5.4 5.4 0 0 1 6.4 3a5.4 5.4 0 1 0 6.6 6.6z',
  search: 'M7 2.8a4.2 4.2 0 1 0 .01 0M10.2 10.2l3.3 3.3',
  label: 'M2.5 2.5h5l6 6-5 5-6-6zM5.4 5.4h.01',
  star: 'M8 2l1.8 3.9 4.2.5-3.1 2.9.8 4.2L8 11.4l-3.7 2.1.8-4.2L2 6.4l4.2-.5z',
  download: 'M8 2.5v7.5M4.8 7l3.2 3.2L11.2 7M3 13.2h10',
  table: 'M2.5 3h11v10h-11zM2.5 6.3h11M2.5 9.7h11M6.2 3v10',
  copy: 'M5.5 5.5h7.5v7.5H5.5zM3 10.3V3h7.3',
  link: 'M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.3-2.3a2.6 2.6 0 0 0-3.7-3.7l-.8.8M9.2 6.8a2.6 2.6 0 0 0-3.7 0L3.2 9.1a2.6 2.6 0 0 0 3.7 3.7l.8-.8',
  check: 'M3 8.4l3.3 3.3L13 5',
  left: 'M10 3.5L5.5 8l4.5 4.5',
  right: 'M6 3.5L10.5 8 6 12.5',
  close: 'M4 4l8 8M12 4l-8 8',
} as const;

export type IconName = keyof typeof drawings;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={drawings[name]} />
    </svg>
  );
}
