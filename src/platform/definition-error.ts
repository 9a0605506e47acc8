/** What is wrong with a definition, and how to mend it. Thrown at start-up and by the tools, never by a request. */
export class DefinitionError extends Error {}
