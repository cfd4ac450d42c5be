#pragma once
// Bare OpenSSL over loopback with blocking sockets: the reference for the transport.
#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct baseline_server {
    int socket;
    long long bytes;
    // Whether both ends hash the bytes.
    int hashes;
    const char *certificate, *key, *authority;
};

static SSL_CTX *baseline_context(const SSL_METHOD *method, const struct baseline_server *s) {
    SSL_CTX *context = SSL_CTX_new(method);
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_use_certificate_file(context, s->certificate, SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context, s->key, SSL_FILETYPE_PEM);
    SSL_CTX_load_verify_locations(context, s->authority, NULL);
    SSL_CTX_set_purpose(context, X509_PURPOSE_ANY);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return context;
}

static EVP_MD_CTX *baseline_hash(void) {
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    return hash;
}

static void *baseline_serve(void *argument) {
    struct baseline_server *s = argument;
    SSL_CTX *context = baseline_context(TLS_server_method(), s);
    int client = accept(s->socket, NULL, NULL);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, client);
    char *buffer = malloc(1 << 20);
    EVP_MD_CTX *hash = baseline_hash();
    if (SSL_accept(ssl) == 1) {
        int count;
        while (s->bytes > 0 && (count = SSL_read(ssl, buffer, 1 << 20)) > 0) {
            if (s->hashes) EVP_DigestUpdate(hash, buffer, (size_t)count);
            s->bytes -= count;
        }
        SSL_write(ssl, "k", 1);
    }
    EVP_MD_CTX_free(hash);
    free(buffer);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(client);
    return NULL;
}

// Seconds to carry `bytes` from one thread to another in writes of 1 MiB, hashed once at each end if `hashes`; negative if it
// failed.
static double baseline_transfer(const char *certificate, const char *key, const char *authority, long long bytes, int hashes) {
    struct baseline_server s = {socket(AF_INET, SOCK_STREAM, 0), bytes, hashes, certificate, key, authority};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(s.socket, (struct sockaddr *)&address, length) || listen(s.socket, 1) ||
        getsockname(s.socket, (struct sockaddr *)&address, &length))
        return -1;
    pthread_t thread;
    pthread_create(&thread, NULL, baseline_serve, &s);
    SSL_CTX *context = baseline_context(TLS_client_method(), &s);
    SSL *ssl = SSL_new(context);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    double seconds = -1;
    char *buffer = calloc(1, 1 << 20);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && SSL_set_fd(ssl, fd) && SSL_connect(ssl) == 1) {
        struct timespec begin, end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        EVP_MD_CTX *hash = baseline_hash();
        for (long long sent = 0; sent < bytes; sent += 1 << 20) {
            if (hashes) EVP_DigestUpdate(hash, buffer, 1 << 20);
            if (SSL_write(ssl, buffer, 1 << 20) <= 0) break;
        }
        EVP_MD_CTX_free(hash);
        SSL_read(ssl, buffer, 1);
        clock_gettime(CLOCK_MONOTONIC, &end);
        seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    }
    free(buffer);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    pthread_join(thread, NULL);
    close(s.socket);
    return seconds;
}
