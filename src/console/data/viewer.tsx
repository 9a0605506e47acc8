import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react"
import { createTransport, type Transport } from "../../client/transport.ts"
import { backend, isProblem } from "../backend.ts"

/** Through whose eyes records are read. The key tells apart what is kept for each. */
export interface Reader {
  readonly key: string
  read<T>(path: string, signal?: AbortSignal): Promise<T>
  /** What is no JSON, as it is answered. */
  open(path: string, signal?: AbortSignal, method?: "GET" | "HEAD"): Promise<Response>
}

/** Reads by what sends calls. */
const reading = (send: Transport): Omit<Reader, "key"> => ({
  read: async (path, signal) =>
    (await send({ method: "GET", path, ...(signal && { signal }) })).json(),
  open: (path, signal, method = "GET") => send({ method, path, ...(signal && { signal }) }),
})

/** Somebody whose view is looked at. Nothing is written with it. */
export interface Viewer extends Reader {
  /** Null for somebody who is not signed in. */
  readonly name: string | null
  end(): void
}

interface Viewing {
  readonly viewer: Viewer | null
  readonly setViewer: (viewer: Viewer | null) => void
}

const ViewerContext = createContext<Viewing | null>(null)

/** Whose view is shown lives as long as the page: it is in memory alone, and ends with it. */
export function ViewerProvider({ children }: { children: ReactNode }) {
  const [viewer, setViewer] = useState<Viewer | null>(null)
  useEffect(() => {
    if (!viewer) return
    const end = () => viewer.end()
    addEventListener("pagehide", end)
    return () => {
      removeEventListener("pagehide", end)
      end()
    }
  }, [viewer])
  const value = useMemo(() => ({ viewer, setViewer }), [viewer])
  return <ViewerContext value={value}>{children}</ViewerContext>
}

export function useViewing(): Viewing {
  const viewing = useContext(ViewerContext)
  if (!viewing) throw new Error("useViewing needs a ViewerProvider above it")
  return viewing
}

const own: Reader = { key: "", ...reading(backend.open) }

/** How records are read here: as whoever's view is looked at, else as oneself. */
export const useReader = (): Reader => useViewing().viewer ?? own

// Without cookies either way: the session of who looks is neither used nor replaced.
const transport = () =>
  createTransport({
    url: location.origin,
    fetch: (...call) => fetch(...call),
    credentials: "omit",
  })

export function anonymousViewer(): Viewer {
  const send = transport()
  return {
    key: "anonymous",
    name: null,
    ...reading(send),
    end() {},
  }
}

/** What begins a session in somebody's name. */
export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
}

/** Somebody's own view, by a session in their name that ends with it. Its tokens stay in memory. */
export function personViewer(id: string, name: string, begun: Tokens): Viewer {
  const send = transport()
  let tokens = begun
  let renewing: Promise<void> | null = null
  const renew = () => {
    renewing ??= send({
      method: "POST",
      path: "/auth/tokens",
      body: { refreshToken: tokens.refreshToken },
    })
      .then(async (response) => {
        tokens = await response.json()
      })
      .finally(() => {
        renewing = null
      })
    return renewing
  }
  const authorization = () => ({ authorization: `Bearer ${tokens.accessToken}` })
  return {
    key: id,
    name,
    ...reading(async (call) => {
      const ask = () => send({ ...call, headers: authorization() })
      try {
        return await ask()
      } catch (error) {
        if (!isProblem(error, "token_expired") && !isProblem(error, "token_outdated")) throw error
        await renew()
        return ask()
      }
    }),
    end() {
      void fetch("/auth/sessions/current", {
        method: "DELETE",
        headers: authorization(),
        credentials: "omit",
        // The page may be on its way out.
        keepalive: true,
      })
    },
  }
}
