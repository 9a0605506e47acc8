import { mailSuppressions, mails } from "../../../src/core/mail/tables.ts"
import { testStorageManual } from "../../support/storage-manual.ts"

testStorageManual([mails, mailSuppressions])
