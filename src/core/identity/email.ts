/** The form in which addresses are compared: two that differ only in case or in Unicode composition are one account. */
export const normaliseEmail = (email: string): string => email.trim().normalize("NFC").toLowerCase()
