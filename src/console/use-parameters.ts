import { useSearchParams } from "wouter"

/** What the address of the page says after its question mark, and how to change one part of it; an empty value takes it away. */
export function useParameters(): [URLSearchParams, (name: string, value: string) => void] {
  const [parameters, setParameters] = useSearchParams()
  const set = (name: string, value: string) =>
    setParameters((before) => {
      const next = new URLSearchParams(before)
      if (value) next.set(name, value)
      else next.delete(name)
      return next
    })
  return [parameters, set]
}
