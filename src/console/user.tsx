import { createContext, useContext } from "react"
import type { User } from "../client/session.ts"

const UserContext = createContext<User | null>(null)
export const UserProvider = UserContext

/** The signed-in person. */
export function useUser(): User {
  const user = useContext(UserContext)
  if (!user) throw new Error("useUser needs somebody who is signed in")
  return user
}

export const isAdministrator = (user: User): boolean => user.roles.includes("administrator")
