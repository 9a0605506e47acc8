import { buildConsole } from "./build-console.ts"
import { buildPage } from "./build-page.ts"

/** Everything for browsers that the Worker serves and nobody commits: the product's page and the console. */
export const buildPages = (): Promise<unknown> => Promise.all([buildPage(), buildConsole()])
