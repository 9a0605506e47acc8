/*
 * Stands in for `@peculiar/x509` in the bundle (wrangler.toml, `alias`). @simplewebauthn/server brings it, and 60 KB of
 * ASN.1 with it, for attestations with certificates: `webauthn.ts` refuses those unread, so nothing here is ever called.
 */

class NoCertificates {
  constructor() {
    throw new Error("Certificates are not read here.")
  }
}

export {
  NoCertificates as AuthorityKeyIdentifierExtension,
  NoCertificates as CRLDistributionPointsExtension,
  NoCertificates as SubjectKeyIdentifierExtension,
  NoCertificates as X509Certificate,
  NoCertificates as X509ChainBuilder,
  NoCertificates as X509Crl,
}
