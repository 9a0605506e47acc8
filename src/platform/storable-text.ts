/** NUL ends a text early in SQLite, and a lone surrogate has no UTF-8 form: neither can be stored faithfully. */
export const isStorableText = (text: string): boolean => !text.includes("\0") && text.isWellFormed()
