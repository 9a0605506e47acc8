import { backend } from "./backend.ts"

let leaving = false

/** True while a person signs out by their own will: then nothing is kept for their return. */
export const isLeaving = (): boolean => leaving

/** The account is no more, and with it the session: the answer is that nobody is signed in, which the client then believes. */
export const leaveForGood = (): Promise<void> => leaveBy(() => backend.auth.me())

export const leave = (): Promise<void> => leaveBy(() => backend.auth.signOut())

async function leaveBy(call: () => Promise<unknown>): Promise<void> {
  leaving = true
  try {
    await call()
  } finally {
    leaving = false
  }
}
