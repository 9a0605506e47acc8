const mark = "[redacted]"

/*
 * Each pattern may start only where a run of its own characters starts (the lookbehind), so that a long run is looked at
 * once and not once for each of its characters: an error message can be as long, and as strange, as a caller makes it.
 */
const patterns: readonly [RegExp, string][] = [
  // https://user:password@host; up to the last @, because a password may hold one.
  [/:\/\/[^\s/]*@/g, `://${mark}@`],
  // password=…, "accessToken":"…", X-Api-Key: …
  [
    /(?<![\w-])([\w-]*(?:password|passwd|secret|token|api[_-]?key|credential|signature|authorization|cookie))(["']?\s{0,3}[=:]\s{0,3}["']?)(?!\s)(?:(?:bearer|basic)\s)?[^\s"'&,;)}]+/gi,
    `$1$2${mark}`,
  ],
  // Names that are harmless as words, but not in a query string.
  [/([?&](?:key|code|state|sig|otp|pass|pwd|auth)=)[^\s"'&#]+/gi, `$1${mark}`],
  [/\b(bearer|basic)[ \t]{1,4}[\w.~+/=-]+/gi, `$1 ${mark}`],
  // A JWT: its header is an object, so it begins with the base64 of `{"`.
  [/(?<![\w-])eyJ[\w-]+(?:\.[\w-]*)+/g, mark],
  // Keys that say whose they are: whsec_…, re_…, sk_live_…, ghp_…; words_with_underscores have no digit and no capital.
  [
    /(?<![\w-])(?:(?:whsec|hrt|hat|hiv|hlk|re|sk|pk|rk|ghp|gho|ghs)_|(?:sk|xoxb|xoxp)-)(?=[\w+/=-]*[0-9A-Z])[\w+/=-]{12,}/g,
    mark,
  ],
  // Anything as long as a key, in which small letters, capitals and digits are mixed as chance would have it.
  [/(?<![\w+-])(?=[\w+-]*\d)(?=[\w+-]*[a-z])(?=[\w+-]*[A-Z])[\w+-]{32,}={0,2}/g, mark],
  // E-mail addresses, also in a query string. What stands before the @ may be in any script.
  [
    /(?<![^\s@<>()[\]{}"'`,;:=&?/\\|])[^\s@<>()[\]{}"'`,;:=&?/\\|]+(?:@|%40)(?:[\p{L}\p{N}-]+\.)+\p{L}{2,}/gu,
    mark,
  ],
]

/** `text` without what looks like a secret or an e-mail address. In linear time, whatever the text. */
export function redact(text: string): string {
  let redacted = text
  for (const [pattern, replacement] of patterns) redacted = redacted.replace(pattern, replacement)
  return redacted
}
