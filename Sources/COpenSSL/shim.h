#pragma once
#include <openssl/bio.h>
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Macros that Swift cannot import, and functions that take variable arguments or macros' casts.

static inline int kumiai_ssl_ctx_set_min_proto_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}
static inline long kumiai_ssl_ctx_set_mode(SSL_CTX *context, long mode) { return SSL_CTX_set_mode(context, mode); }
static inline int kumiai_ssl_ctx_add_chain_certificate(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}
static inline int kumiai_tls1_3_version(void) { return TLS1_3_VERSION; }
static inline void kumiai_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline void kumiai_bio_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline int kumiai_ssl_key_update_requested(void) { return SSL_KEY_UPDATE_REQUESTED; }
static inline EVP_PKEY *kumiai_evp_p256_gen(void) { return EVP_EC_gen("P-256"); }
static inline int kumiai_general_name_count(GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
static inline GENERAL_NAME *kumiai_general_name_at(GENERAL_NAMES *names, int i) { return sk_GENERAL_NAME_value(names, i); }
static inline int kumiai_general_name_type(GENERAL_NAME *name) { return name->type; }
static inline ASN1_IA5STRING *kumiai_general_name_uri(GENERAL_NAME *name) { return name->d.uniformResourceIdentifier; }
static inline STACK_OF(X509) *kumiai_x509_stack(void) { return sk_X509_new_null(); }
static inline int kumiai_x509_push(STACK_OF(X509) *stack, X509 *certificate) { return sk_X509_push(stack, certificate); }
static inline void kumiai_x509_stack_free(STACK_OF(X509) *stack) { sk_X509_free(stack); }
// Whether every certificate that `former` revokes is in `newer` too.
static inline int kumiai_crl_covers(X509_CRL *newer, X509_CRL *former) {
    STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(former);
    for (int index = 0; index < sk_X509_REVOKED_num(revoked); index++) {
        X509_REVOKED *found = NULL;
        const ASN1_INTEGER *serial = X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(revoked, index));
        if (X509_CRL_get0_by_serial(newer, &found, (ASN1_INTEGER *)serial) != 1) return 0;
    }
    return 1;
}
static inline unsigned long kumiai_xn_flag_oneline(void) { return XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB; }
static inline void kumiai_ssl_ctx_set_options(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}
static inline void kumiai_openssl_free(void *memory) { OPENSSL_free(memory); }
static inline int kumiai_err_reason(unsigned long error) { return ERR_GET_REASON(error); }
