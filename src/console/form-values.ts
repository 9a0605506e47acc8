/** What was typed into a form, by the names of its inputs: without spaces around it, but for passwords, which are kept to the letter. */
export const formValues = (form: HTMLFormElement): Record<string, string> =>
  Object.fromEntries(
    [...new FormData(form)].map(([name, value]) => {
      const text = String(value)
      return [name, name === "password" ? text : text.trim()]
    }),
  )
