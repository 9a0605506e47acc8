/*
 * Where requests are answered by the process that also does what follows them (workerd on one machine, `npm run dev`), that
 * gives way to them: it goes on when none is open, and else a small step now and then, so that it never stands still. On
 * Cloudflare the objects that do it are elsewhere, and wait for nothing; the pokes that wake them leave the worker, and take
 * turns there, a tenth of a second each while requests are open.
 */

let open = 0
let changed = Number.NEGATIVE_INFINITY
let nextStep = 0
/** What part of the time requests were open, as of `changed`: the last twentieth of a second weighs most. */
let share = 0

const shareMilliseconds = 50
/** An answer is given to the socket after its handler is done. */
const leavesMilliseconds = 3
/** Between requests that take most of the time, a gap is the time that those who send them need for the next. */
const pausesMilliseconds = 20
/** Between two steps beside requests: of two or three milliseconds each, they take a fortieth of the time. */
const stepMilliseconds = 100
const lookMilliseconds = 8
const servesMilliseconds = 10_000

/** Answers a request, before which others give way meanwhile. */
export async function answering<Answer>(answer: () => Promise<Answer> | Answer): Promise<Answer> {
  count(1)
  try {
    return await answer()
  } finally {
    count(-1)
  }
}

function count(difference: 1 | -1): void {
  share = shareNow()
  changed = Date.now()
  open += difference
}

function shareNow(): number {
  const past = Math.exp((changed - Date.now()) / shareMilliseconds)
  return share * past + (open > 0 ? 1 - past : 0)
}

/** How long no request is to be open before it is quiet. */
const gapMilliseconds = (): number => (shareNow() > 0.5 ? pausesMilliseconds : leavesMilliseconds)

const isQuiet = (): boolean => open === 0 && Date.now() - changed >= gapMilliseconds()

/** Whether this process has just answered requests as well. */
export const answersRequests = (): boolean => open > 0 || Date.now() - changed < servesMilliseconds

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
