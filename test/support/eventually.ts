import { vi } from "vitest"

/**
 * Tries until the check holds, for a minute and a half: the machine may be busy, and whoever waits for what never comes
 * still fails. Answers what the check answers.
 */
export const eventually = <Result>(check: () => Result | Promise<Result>, interval = 20) =>
  vi.waitFor(check, { timeout: 90_000, interval })
