import { vi } from "vitest"

/** Keeps what is expected to be logged out of what the tests print. */
export function hush(...levels: ("info" | "warn" | "error")[]): void {
  for (const level of levels) vi.spyOn(console, level).mockImplementation(() => {})
}
