import { backend } from "./backend.ts"

let leaving = false

/** True while a person signs out by their own will: then nothing is kept for their return. */
export const isLeaving = (): boolean => leaving

export async function leave(): Promise<void> {
  leaving = true
  try {
    await backend.auth.signOut()
  } finally {
    leaving = false
  }
}
