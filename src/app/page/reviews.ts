import { filter } from "../../client/filter.ts"
import { ApiProblem } from "../../client/problem.ts"
import { openAccount } from "./account.ts"
import { currentUser, hinterland, type Review } from "./backend.ts"
import { add, button, element, fill } from "./element.ts"
import { notify } from "./notices.ts"
import { createReviewForm, type Draft } from "./review-form.ts"
import { date, inWords, troubleBox } from "./words.ts"

const reviews = hinterland.records("reviews")

/** What the club thinks of a film, newest first, after one's own review or the place to write it. */
export function createReviews(film: string, onChanged: () => void): HTMLElement {
  const own = element("div", { class: "own" })
  const list = element("ol", { class: "reviews", "aria-label": "Reviews" })
  const after = element("div", { class: "after" })
  const user = currentUser()
  void showOwn()
  void showOthers(null)

  async function showOwn(): Promise<void> {
    if (!user) {
      fill(
        own,
        button("Sign in to write a review", () => openAccount("in"), { class: "secondary" }),
      )
      return
    }
    try {
      const mine = filter`film = ${film} && author = ${user.id}`
      const { items } = await reviews.list({ filter: mine, limit: 1 })
      fill(own, items[0] ? ownReview(items[0]) : write(null))
    } catch (error) {
      fill(own, troubleBox(error, showOwn))
    }
  }

  async function showOthers(cursor: string | null): Promise<void> {
    const others = user ? filter`film = ${film} && author != ${user.id}` : filter`film = ${film}`
    try {
      const page = await reviews.list({
        filter: others,
        sort: "-createdAt",
        expand: ["author"],
        limit: 20,
        ...(cursor && { cursor }),
      })
      add(list, ...page.items.map((review) => element("li", {}, reviewOf(review, nameOf(review)))))
      const none = list.children.length === 0
      const more = page.next && button("More reviews", () => void showOthers(page.next))
      const words = user ? "No one else has reviewed this film yet." : "No reviews yet."
      fill(after, none && element("p", { class: "quiet" }, words), more)
    } catch (error) {
      fill(
        after,
        troubleBox(error, () => void showOthers(cursor)),
      )
    }
  }

  function ownReview(review: Review): HTMLElement {
    const shown = reviewOf(review, "You")
    const edit = button("Edit", () => fill(own, write(review)), { class: "plain" })
    const remove = button("Delete", () => confirm(), { class: "plain" })
    const actions = element("div", { class: "actions" }, edit, remove)
    const confirm = () => {
      const yes = button("Delete it for good", () => void destroy(review, actions), {
        class: "danger",
      })
      const no = button("Keep it", () => void showOwn(), { class: "plain" })
      fill(actions, yes, no)
      no.focus()
    }
    add(shown, actions)
    return shown
  }

  async function destroy(review: Review, actions: HTMLElement): Promise<void> {
    try {
      await reviews.delete(review.id, { ifMatch: review.version })
      fill(own, write(null))
      notify("Your review is deleted.")
      onChanged()
    } catch (error) {
      fill(
        actions,
        troubleBox(error, () => void showOwn()),
      )
    }
  }

  function write(review: Review | null): HTMLElement {
    const save = async (draft: Draft) => {
      const saved = review
        ? await reviews.update(review.id, draft, { ifMatch: review.version })
        : await reviews.create({ film, ...draft })
      fill(own, ownReview(saved))
      notify("Your review is saved.")
      onChanged()
    }
    return createReviewForm(review, save, review ? () => fill(own, ownReview(review)) : null, words)
  }

  return element(
    "section",
    { class: "club-reviews" },
    element("h3", {}, "Reviews"),
    own,
    list,
    after,
  )
}

/** Another tab may have been quicker. */
const words = (error: unknown): string =>
  error instanceof ApiProblem && error.code === "conflict"
    ? "You have reviewed this film already. Close it and open it again to see your review."
    : inWords(error)

function reviewOf(review: Review, author: string): HTMLElement {
  const { stars, body, createdAt, updatedAt, version } = review
  const when = version > 1 ? `${date(createdAt)}, edited ${date(updatedAt)}` : date(createdAt)
  return element(
    "article",
    { class: "review" },
    element(
      "header",
      {},
      element(
        "span",
        { class: "stars", role: "img", "aria-label": `${stars} of 5 stars` },
        "★".repeat(stars),
        element("span", {}, "★".repeat(5 - stars)),
      ),
      element("strong", {}, author),
      element("time", { datetime: createdAt }, when),
    ),
    body && element("p", { class: "body" }, body),
  )
}

/** Names are for signed-in people: to strangers the author is nobody in particular. */
const nameOf = ({ expanded }: { expanded: { author: unknown } }): string => {
  const { author } = expanded
  const name = author !== null && typeof author === "object" && "name" in author && author.name
  return typeof name === "string" && name ? name : "A member"
}
