/** Signs somebody up at a crash server, and in. Answers their access token. */
export async function signUpAndIn(url: string): Promise<string> {
  const person = {
    email: "crash@example.test",
    password: "correct horse battery staple",
    name: "c",
  }
  const post = (path: string) =>
    fetch(url + path, {
      method: "POST",
      body: JSON.stringify(person),
      headers: { "content-type": "application/json" },
    })
  await post("/auth/users")
  const { email, password } = person
  const session = await fetch(`${url}/auth/sessions`, {
    method: "POST",
    body: JSON.stringify({ email, password }),
    headers: { "content-type": "application/json" },
  })
  return ((await session.json()) as { accessToken: string }).accessToken
}
