/** A text that jobs can read by its name. */
export interface DatasetRow {
  /** `dataset:NAME` */
  name: string;
  /** What people call it. */
  title: string;
  /** Whether it comes with the package; the others were fetched into the store. */
  bundled: boolean;
}
