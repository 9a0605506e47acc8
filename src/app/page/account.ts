import { ApiProblem } from "../../client/problem.ts"
import type { User } from "../../client/session.ts"
import { currentUser, hinterland, onUserChange } from "./backend.ts"
import { button, element, fill } from "./element.ts"
import { notify } from "./notices.ts"
import { addressOf, home } from "./route.ts"
import { inWords } from "./words.ts"

type Mode = "in" | "up"

/** Who is signed in, at the top of the page, and the ways in and out. */
export function showAccount(place: HTMLElement): void {
  const show = (user: User | null) => fill(place, ...(user ? signedIn(user) : signedOut()))
  onUserChange(show)
  show(currentUser())
  tellOfReturn()
}

/** Why whoever went to a provider came back as nobody: the server has written it behind the `#`. */
function tellOfReturn(): void {
  const code = new URLSearchParams(location.hash.slice(1)).get("error")
  if (code === null) return
  history.replaceState(history.state, "", location.pathname + location.search)
  notify(refusals[code] ?? "That did not work. Try again, or sign in another way.")
}

const refusals: Readonly<Record<string, string>> = {
  authorization_denied: "You were not signed in.",
  email_unverified: "The provider does not say that your address is yours.",
  identity_not_linked: "A member has this address already. Sign in with the password.",
  second_factor_required: "Your account asks for a second factor, which this page cannot take.",
}

const signedOut = (): HTMLElement[] => [
  button("Sign in", () => openAccount("in"), { class: "plain" }),
  button("Join", () => openAccount("up")),
]

const signedIn = (user: User): HTMLElement[] => [
  element(
    "a",
    { href: addressOf({ ...home, view: "lists" }), "data-route": true, class: "lists-link" },
    "Watch lists",
  ),
  element("span", { class: "whoami", title: user.email }, user.name ?? user.email),
  button("Sign out", signOut, { class: "plain" }),
]

async function signOut(): Promise<void> {
  try {
    await hinterland.auth.signOut()
    notify("You are signed out.")
  } catch (error) {
    notify(inWords(error))
  }
}

/** Opens the dialog to sign in, or to become a member. */
export function openAccount(mode: Mode): void {
  const dialog = element("dialog", { class: "small", "aria-labelledby": "account-title" })
  const close = () => dialog.close()
  dialog.addEventListener("close", () => dialog.remove())
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) close()
  })
  const show = (now: Mode) => {
    fill(
      dialog,
      button("×", close, { class: "close", "aria-label": "Close" }),
      element("h2", { id: "account-title" }, now === "in" ? "Sign in" : "Join the club"),
      formOf(now, close),
      providerButtons(),
      now === "in"
        ? turn("New here?", "Join the club", () => show("up"))
        : turn("A member already?", "Sign in", () => show("in")),
    )
    dialog.querySelector("input")?.focus()
  }
  document.body.appendChild(dialog)
  dialog.showModal()
  show(mode)
}

/** One for each provider of the deployment; none, where it has none. */
function providerButtons(): HTMLElement {
  const place = element("p", { class: "providers" })
  const leave = async (name: string) => {
    try {
      const here = location.pathname + location.search
      location.assign(await hinterland.auth.beginSignInWith(name, here))
    } catch (error) {
      notify(inWords(error))
    }
  }
  hinterland.auth.providers().then(
    (providers) =>
      fill(
        place,
        ...providers.map(({ name, label }) =>
          button(`Sign in with ${label}`, () => leave(name), { class: "secondary" }),
        ),
      ),
    // The form is there all the same.
    () => {},
  )
  return place
}

const turn = (question: string, answer: string, onclick: () => void): HTMLElement =>
  element("p", { class: "quiet" }, `${question} `, button(answer, onclick, { class: "link" }))

function formOf(mode: Mode, done: () => void): HTMLElement {
  const trouble = element("p", { class: "form-trouble", role: "alert" })
  const submit = element("button", { type: "submit" }, mode === "in" ? "Sign in" : "Join")
  const form = element(
    "form",
    { class: "account-form" },
    mode === "up" &&
      field("Name", {
        name: "name",
        required: true,
        maxlength: 200,
        autocomplete: "name",
        placeholder: "Under your reviews",
      }),
    field("E-mail", { name: "email", type: "email", required: true, autocomplete: "username" }),
    field("Password", {
      name: "password",
      type: "password",
      required: true,
      minlength: mode === "up" ? 8 : null,
      autocomplete: mode === "up" ? "new-password" : "current-password",
      placeholder: mode === "up" ? "8 characters or more" : null,
    }),
    trouble,
    submit,
  )
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    const text = (name: string) => String(new FormData(form).get(name) ?? "")
    const credentials = { email: text("email").trim(), password: text("password") }
    submit.disabled = true
    trouble.textContent = ""
    try {
      if (mode === "up") await hinterland.auth.signUp({ ...credentials, name: text("name").trim() })
      const user = await hinterland.auth.signIn(credentials)
      done()
      notify(`Welcome, ${user.name ?? user.email}.`)
    } catch (error) {
      trouble.textContent = words(error)
    } finally {
      submit.disabled = false
    }
  })
  return form
}

function field(label: string, attributes: Parameters<typeof element>[1]): HTMLElement {
  return element(
    "label",
    { class: "field" },
    element("span", {}, label),
    element("input", attributes),
  )
}

const words = (error: unknown): string =>
  error instanceof ApiProblem && error.status === 401 ? error.detail : inWords(error)
