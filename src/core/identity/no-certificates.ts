/*
 * Stands in for all of @peculiar in the bundle (wrangler.toml, `alias`). @simplewebauthn/server brings it, and 200 KB of
 * ASN.1, for attestations with certificates: `webauthn.ts` refuses those unread, so none of these names is ever called.
 * The exception is the signature of an assertion, which `ecdsa-signature.ts` reads.
 */
export { AsnParser, ECDSASigValue } from "./ecdsa-signature.ts"

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
  // @peculiar/asn1-schema, asn1-x509
  NoCertificates as BasicConstraints,
  NoCertificates as Certificate,
  NoCertificates as ExtendedKeyUsage,
  NoCertificates as OctetString,
  NoCertificates as SubjectAlternativeName,
  // @peculiar/asn1-ecc
  NoCertificates as ECParameters,
  // @peculiar/asn1-android
  NoCertificates as KeyDescription,
  // @peculiar/asn1-rsa
  NoCertificates as RSAPublicKey,
  none as id_ce_basicConstraints,
  none as id_ce_extKeyUsage,
  none as id_ce_subjectAltName,
  none as id_ecdsaWithSHA256,
  none as id_ecdsaWithSHA384,
  none as id_ecdsaWithSHA512,
  none as id_ecPublicKey,
  none as id_secp256r1,
  none as id_secp384r1,
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
