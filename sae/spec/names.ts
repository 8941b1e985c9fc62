/** How things in the store may be called: one folder each, so that a name can't lead out of the store. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** What a name that does not match should have been. */
export const nameRule = "use letters, digits, '.', '-' and '_', starting with a letter or digit";
