import { chromium } from "playwright-core"

const url = process.argv[2] ?? "http://127.0.0.1:8911"
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
})
const shot = async (
  name: string,
  options: object,
  path: string,
  act?: (page: import("playwright-core").Page) => Promise<void>,
) => {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  page.on("console", (m) => {
    if (m.type() === "error" || m.type() === "warning") console.log(name, m.type(), m.text())
  })
  page.on("pageerror", (e) => console.log(name, "pageerror", e.message))
  await page.goto(url + path)
  await page.waitForTimeout(900)
  try {
    await act?.(page)
  } catch (e) {
    console.log(name, String(e).slice(0, 600))
  }
  await page.waitForTimeout(500)
  await page.screenshot({ path: `/tmp/shots/${name}.png` })
  await context.close()
}
const wide = { viewport: { width: 1360, height: 900 }, colorScheme: "light" }
const dark = { viewport: { width: 1360, height: 900 }, colorScheme: "dark" }
const narrow = { viewport: { width: 390, height: 844 }, colorScheme: "light", deviceScaleFactor: 2 }
const email = `u${Date.now()}@example.org`
await shot("wide", wide, "/")
await shot("dark", dark, "/?genre=Horror")
await shot("narrow", narrow, "/")
await shot("empty", wide, "/?search=zzqq")
await shot("search", wide, "/", async (page) => {
  await page.getByRole("searchbox").fill("kubri")
  await page.waitForTimeout(900)
})
await shot("film", wide, "/", async (page) => {
  await page.locator(".card").nth(1).click()
  await page.waitForTimeout(900)
})
await shot("join", wide, "/", async (page) => {
  await page.getByRole("button", { name: "Join" }).click()
})
const join = async (page: import("playwright-core").Page) => {
  await page.getByRole("button", { name: "Join" }).click()
  await page.getByLabel("Name").fill("Greta Example")
  await page.getByLabel("E-mail").fill(email)
  await page.getByLabel("Password").fill("correct horse")
  await page.getByRole("dialog").getByRole("button", { name: "Join", exact: true }).click()
  await page.getByRole("button", { name: "Sign out" }).waitFor()
}
await shot("member", dark, "/", async (page) => {
  await join(page)
  await page.locator(".card").nth(2).click()
  await page.getByText("Add to a watch list").click()
  await page.getByLabel("Name of a new list").fill("Rainy Sundays")
  await page.getByRole("button", { name: "New list" }).click()
  await page.getByText("On 1 watch list").waitFor()
  await page.screenshot({ path: "/tmp/shots/menu.png" })
  await page.getByText("On 1 watch list").click()
  await page.getByLabel("4 stars").check()
  await page
    .getByRole("textbox", { name: "Your review" })
    .fill("A long quiet film.\nI would see it again.")
  await page.screenshot({ path: "/tmp/shots/form.png" })
  await page.getByRole("button", { name: "Post review" }).click()
  await page.getByText("Your review is saved").waitFor()
  await page.screenshot({ path: "/tmp/shots/reviewed.png" })
  await page.keyboard.press("Escape")
  await page.waitForTimeout(300)
  await page.screenshot({ path: "/tmp/shots/after.png" })
  await page.getByRole("link", { name: "Watch lists" }).click()
  await page.waitForTimeout(800)
})
await shot("narrow-film", narrow, "/", async (page) => {
  await page.locator(".card").nth(2).click()
  await page.waitForTimeout(900)
})
await shot("narrow-dark-list", { ...narrow, colorScheme: "dark" }, "/?view=lists")
await shot("error", wide, "/", async (page) => {
  await page.route("**/records/**", (r) =>
    r.fulfill({
      status: 500,
      headers: { "x-request-id": "0199-demo-request-id" },
      contentType: "application/problem+json",
      body: '{"code":"internal","title":"x","status":500}',
    }),
  )
  await page.getByLabel("Genre").selectOption("Drama")
})
await browser.close()
