/** Writes one line to the server's log; `details` are for the log only and never reach a client. The command line decides where lines go. */
export type Log = (line: string, details?: unknown) => void;
