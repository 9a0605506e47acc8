import { backend } from "./backend.ts"

let leaving = false

/** True while a person signs out by their own will: then nothing is kept for their return. */
export const isLeaving = (): boolean => leaving

/** The account is no more, and with it the session. */
export async function leaveForGood(): Promise<void> {
  leaving = true
  try {
    // Answers that nobody is signed in, which the client then believes.
    await backend.auth.me()
  } finally {
    leaving = false
  }
}

export async function leave(): Promise<void> {
  leaving = true
  try {
    await backend.auth.signOut()
  } finally {
    leaving = false
  }
}
