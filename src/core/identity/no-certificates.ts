/*
 * Stands in for `@peculiar/x509` and others in the bundle (wrangler.toml, `alias`). @simplewebauthn/server brings them,
 * and 70 KB of ASN.1, for attestations with certificates: `webauthn.ts` refuses those unread, so nothing here is ever called.
 */

class NoCertificates {
  constructor() {
    throw new Error("Certificates are not read here.")
  }
}

/** An object identifier that no certificate has. */
const none = "0.0"

export {
  // @peculiar/x509
  NoCertificates as AuthorityKeyIdentifierExtension,
  NoCertificates as CRLDistributionPointsExtension,
  NoCertificates as SubjectKeyIdentifierExtension,
  NoCertificates as X509Certificate,
  NoCertificates as X509ChainBuilder,
  NoCertificates as X509Crl,
  // @peculiar/asn1-android
  NoCertificates as KeyDescription,
  // @peculiar/asn1-rsa
  NoCertificates as RSAPublicKey,
  none as id_ce_keyDescription,
  none as id_rsaEncryption,
  none as id_sha1WithRSAEncryption,
  none as id_sha256WithRSAEncryption,
  none as id_sha384WithRSAEncryption,
  none as id_sha512WithRSAEncryption,
  // @peculiar/asn1-x509-post-quantum
  none as id_ml_dsa_44,
  none as id_ml_dsa_65,
  none as id_ml_dsa_87,
}
