import { files, fileUsage } from "../../../src/core/files/tables.ts"
import { testStorageManual } from "../../support/storage-manual.ts"

testStorageManual([files, fileUsage])
