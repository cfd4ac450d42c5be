import COpenSSL

/// OpenSSL's state in this process.
public enum OpenSSLLibrary {
    /// Keeps OpenSSL initialised until the process has ended. Call it before anything else in this module.
    ///
    /// Otherwise OpenSSL is torn down when `main` returns, while a task on another thread may still release a
    /// certificate. A process that has done all its work would then crash at its end (`OPENSSL_init_crypto(3)`).
    public static func outliveMain() {
        precondition(OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1, "OpenSSL does not start")
    }
}
