/*
 * Where requests are answered by the process that also does what follows them (workerd on one machine, `npm run dev`), that
 * gives way to them: it goes on when none is open, and else a small step now and then, so that it never stands still. On
 * Cloudflare the objects that do it are elsewhere, and wait for nothing.
 */

let open = 0
let ended = Number.NEGATIVE_INFINITY
let nextStep = 0

/** An answer is given to the socket after its handler is done. */
const leavesMilliseconds = 3
/** Between two steps beside requests: of two or three milliseconds each, they take a twentieth of the time. */
const stepMilliseconds = 100
const lookMilliseconds = 8
const servesMilliseconds = 10_000

/** Answers a request, before which others give way meanwhile. */
export async function answering<Answer>(answer: () => Promise<Answer> | Answer): Promise<Answer> {
  open++
  try {
    return await answer()
  } finally {
    open--
    ended = Date.now()
  }
}

const isQuiet = (): boolean => open === 0 && Date.now() - ended >= leavesMilliseconds

/** Whether this process has just answered requests as well. */
export const answersRequests = (): boolean => open > 0 || Date.now() - ended < servesMilliseconds

/** Before a step that can wait: resolves when no request is open, or it is its turn beside them. */
export async function giveWay(): Promise<void> {
  while (!isQuiet()) {
    const now = Date.now()
    if (open > 0 && now >= nextStep) {
      nextStep = now + stepMilliseconds
      return
    }
    await sleep(open > 0 ? lookMilliseconds : leavesMilliseconds)
  }
}

/** Whether requests are open now: then a step should be small. */
export const isPressed = (): boolean => open > 0

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))
