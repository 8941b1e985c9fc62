/** One line a happening; `details` is what a client never sees. Where lines go is the command line's choice. */
export type Log = (line: string, details?: unknown) => void;
