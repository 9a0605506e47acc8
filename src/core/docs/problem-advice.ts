import type { ProblemCode } from "../../platform/problem.ts"

/** What a program, or the person before it, does about each refusal. */
export const problemAdvice: Readonly<Record<ProblemCode, string>> = {
  invalid_input:
    "Part of the request is wrong: `errors` names each part by its `path` (a field, or `query.…`, `headers.…`, `body`), with a stable code of its own. Mend these and send it again.",
  invalid_expression:
    "The filter cannot be understood, or names what is not there. The message says at which position, and what was expected.",
  invalid_cursor:
    "A cursor continues one query: the same collection, filter, sort and search, asked by the same person. Start again without it.",
  unauthenticated: "There is no session, and one could help: sign in.",
  invalid_credentials: "Which of the two is wrong is not told, nor whether the account exists.",
  token_invalid:
    "The token was not made here, or has been changed: sign in again. Or it is an API key that has ended, or whose holder may not act any more.",
  token_expired:
    "Exchange the refresh token for a new pair, and repeat the request. An API key is replaced by a new one.",
  token_outdated:
    "Roles, password or sessions have changed since the token was made. Exchange the refresh token; if that is refused, sign in again.",
  second_factor_required:
    "Send the `challenge` of this answer with a code of an authenticator, a recovery code or a passkey.",
  step_up_required: "Sign in again, then repeat the call within `maxAge` seconds.",
  code_invalid: "Ask for a new code or link: each works once, and not for long.",
  authorization_denied:
    "The person, or the provider, did not want to go through with it. Offer to try again, or another way.",
  account_disabled: "An administrator has disabled the account; only they can undo it.",
  email_unverified: "Open the link in the verification mail, or ask for another.",
  account_required:
    "Only people with an account may do this: give the session one with `POST /auth/me/credentials`.",
  forbidden: "You may see it, and may not do this to it. Another session might.",
  captcha_required:
    "Show the widget with the `siteKey` and `action` of this answer, and send the call again with what it gives in `X-Captcha-Response`.",
  captcha_invalid:
    "It was used before, is older than five minutes, or was made on another page or for another `action`. Show the widget anew.",
  file_infected: "Nobody may read it. Whoever sent it has been told, and can delete it.",
  not_found: "It does not exist, or you may not know that it does: these two are never told apart.",
  method_not_allowed: "`Allow` lists the methods that the address knows.",
  conflict:
    "Another record stands in the way: it has the same unique value (`errors` names the fields), or it points at the record that you want to delete.",
  identity_not_linked:
    "Sign in to the account with that address in another way, then link the provider there (`POST /auth/identities/authorizations`). It is not done by itself: whoever reads a mailbox today need not be who made the account.",
  file_unscanned:
    "Somebody is looking: try again after `Retry-After` seconds. Without that header the scanner would not look at it, and it stays held (its `scan` is `unknown`).",
  offset_mismatch:
    "`Upload-Offset` of the answer says where the upload goes on, as does HEAD: send what follows from there.",
  length_required: "Send `Content-Length`: a chunked body is not taken here.",
  precondition_failed:
    "The version that you named in `If-Match` is no longer the latest, or `If-None-Match: *` met a record. Read it again, apply your change to what you find, and repeat.",
  tus_version_unsupported:
    "Send `Tus-Resumable: 1.0.0`. `Tus-Version` lists what is spoken here; `OPTIONS` tells the rest.",
  payload_too_large: "A JSON body may have 1 MiB (1,048,576 bytes).",
  quota_exceeded:
    "The person or the organisation has as many bytes, or the person as many files, as they may: delete files, or ask an administrator for more.",
  unsupported_media_type: "Say what you send: `Content-Type: application/json`.",
  range_not_satisfiable: "`Content-Range` says how long it is.",
  unsupported_image:
    "The message says why: it is no PNG, JPEG, GIF or WebP, it is too large, or nobody can decode it. Show it as it is, or something in its place.",
  idempotency_mismatch: "A key stands for one request. Take a new key for a new one.",
  budget_exceeded:
    "The route allows fewer rows to be read than this took: ask for less, or filter by what is indexed.",
  locked:
    "Ten failures in 15 minutes lock an account for a while, whether it exists or not. `Retry-After` says for how long.",
  rate_limited: "Wait as many seconds as `Retry-After` says.",
  checksum_mismatch:
    "The chunk was changed on its way, and nothing of it is kept: send it again, at the same offset.",
  internal:
    "Our mistake; the log holds the cause under the `requestId`. Before you repeat a write, look whether it took effect, or send it with an `Idempotency-Key`.",
  misconfigured: "The deployment lacks a variable or a binding; its log names it.",
  integration_failed:
    "Another service was needed for this, and did not answer. Try again later; the log says which one.",
  captcha_unavailable:
    "Wait as many seconds as `Retry-After` says, show the widget anew, and repeat. Nothing was looked at.",
  provider_failed:
    "It was down, slow, or said something that cannot be used; the log says which. Try again, or offer another way to sign in.",
  overloaded:
    "Wait as many seconds as `Retry-After` says, and repeat. With an `Idempotency-Key` a `POST` takes effect once, even if only its answer was lost.",
}
