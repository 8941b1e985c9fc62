/** What the process of a format says of its cases. */
export type CaseReport =
  | { began: number }
  | {
      ended: number;
      outcome: 'accepted' | 'refused';
      /** Of processor time. */
      ms: number;
      /** Of the files that the reader was given, and how far the memory of the process rose above what it had. */
      bytes: number;
      grown: number;
      failure?: { kind: string; message: string };
    };
