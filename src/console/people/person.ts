/** A person as administrators see them. */
export interface Person {
  readonly id: string
  readonly email: string
  readonly name: string | null
  readonly roles: readonly string[]
  readonly createdAt: string
  readonly emailVerifiedAt: string | null
  readonly disabledAt: string | null
}
