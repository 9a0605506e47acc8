import type { Review } from "./backend.ts"
import { button, element } from "./element.ts"

export type Draft = Pick<Review, "stars" | "body">

/** Stars and words. `save` may throw, and what `words` makes of it is shown; `cancel` is null where there is nothing to go back to. */
export function createReviewForm(
  before: Draft | null,
  save: (draft: Draft) => Promise<void>,
  cancel: (() => void) | null,
  words: (error: unknown) => string,
): HTMLElement {
  const trouble = element("p", { class: "form-trouble", role: "alert" })
  const submit = element("button", { type: "submit" }, before ? "Save changes" : "Post review")
  const body = element("textarea", {
    name: "body",
    rows: 4,
    maxlength: 10_000,
    placeholder: "What stayed with you?",
  })
  body.value = before?.body ?? ""
  const form = element(
    "form",
    { class: "review-form", "aria-label": before ? "Change your review" : "Write a review" },
    starField(before?.stars ?? null),
    element("label", { class: "field" }, element("span", {}, "Your review"), body),
    trouble,
    element(
      "div",
      { class: "actions" },
      submit,
      cancel && button("Cancel", cancel, { class: "plain" }),
    ),
  )
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    const stars = Number(new FormData(form).get("stars"))
    if (!stars) {
      trouble.textContent = "Choose one to five stars."
      form.querySelector("input")?.focus()
      return
    }
    submit.disabled = true
    trouble.textContent = ""
    try {
      await save({ stars, body: body.value.trim() || null })
    } catch (error) {
      trouble.textContent = words(error)
    } finally {
      submit.disabled = false
    }
  })
  return form
}

/** Five radio buttons, so that arrow keys and screen readers know what to do; the style makes stars of them. */
function starField(chosen: number | null): HTMLElement {
  const stars = [1, 2, 3, 4, 5].map((value) => {
    const input = element("input", {
      type: "radio",
      name: "stars",
      value,
      checked: value === chosen,
      "aria-label": value === 1 ? "1 star" : `${value} stars`,
    })
    return element(
      "label",
      { class: "star" },
      input,
      element("span", { "aria-hidden": "true" }, "★"),
    )
  })
  return element(
    "fieldset",
    { class: "star-field" },
    element("legend", {}, "Your stars"),
    element("div", {}, ...stars),
  )
}
