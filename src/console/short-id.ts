/** Enough of an id to tell it from those beside it. */
export const shortId = (id: string): string => `…${id.slice(-8)}`
