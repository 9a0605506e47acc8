import type { Page } from "playwright-core"

/**
 * Counts what a person presses on this page from now on, in documents that come after it too; what is typed costs nothing.
 * Answers how to ask.
 */
export async function countClicks(page: Page): Promise<() => number> {
  let clicks = 0
  await page.exposeFunction("countClick", () => {
    clicks++
  })
  const listen = () =>
    addEventListener(
      "pointerdown",
      () => (globalThis as unknown as { countClick(): void }).countClick(),
      true,
    )
  await page.addInitScript(listen)
  await page.evaluate(listen)
  return () => clicks
}
