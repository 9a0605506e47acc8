import { ApiProblem } from "../../client/problem.ts"
import { hinterland, type Watchlist } from "./backend.ts"

const watchlists = hinterland.records("watchlists")

/** All of one's own watch lists, by name. The rules of the collection leave out everyone else's. */
export const listWatchlists = async (): Promise<Watchlist[]> =>
  (await watchlists.list({ sort: "name", limit: 200 })).items

/** The same with their films. */
export const listWatchlistsWithFilms = async () =>
  (await watchlists.list({ sort: "name", limit: 50, expand: ["films"] })).items

export const createWatchlist = (name: string, films: string[]): Promise<Watchlist> =>
  watchlists.create({ name, films })

export const deleteWatchlist = ({ id, version }: Watchlist): Promise<void> =>
  watchlists.delete(id, { ifMatch: version })

/** Puts a film on a list or takes it off. Where the list has changed in the meantime, it is read again, and tried once more. */
export async function setListed(
  list: Watchlist,
  film: string,
  listed: boolean,
): Promise<Watchlist> {
  const change = ({ id, version, films }: Watchlist) => {
    const others = films.filter((other) => other !== film)
    return watchlists.update(
      id,
      { films: listed ? [...others, film] : others },
      { ifMatch: version },
    )
  }
  try {
    return await change(list)
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== "precondition_failed") throw error
    return change(await watchlists.get(list.id))
  }
}
