import COpenSSL

/// The OpenSSL of this process.
public enum OpenSSLLibrary {
    /// Lets OpenSSL stand until the process is gone; of use only before anything else of this module.
    ///
    /// Otherwise it is torn down when `main` returns, while a task on another thread may still let go of a certificate:
    /// a process that had done all its work would end with a crash (`OPENSSL_init_crypto(3)`).
    public static func outliveMain() {
        precondition(OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1, "OpenSSL does not start")
    }
}
