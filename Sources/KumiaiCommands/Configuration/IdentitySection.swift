import Settings

/// `[identity]`: three PEM files, and the list of revoked certificates if there is one.
struct IdentitySection {
    var ca = "ca.pem"
    var certificate = "certificate.pem"
    var key = "key.pem"
    var crl = ""

    static let section = SettingSection<IdentitySection>(
        "identity",
        help:
            "PEM files: the consortium's CA, and the certificate and key of this role. The key never leaves this machine."
    ) {
        Setting("ca", \.ca, .path, help: "")
        Setting("certificate", \.certificate, .path, help: "")
        Setting("key", \.key, .path, help: "")
        Setting(
            "crl",
            \.crl,
            .text("a path"),
            default: "",
            help: """
                The CA's list of revoked certificates (kumiai pki revoke), for example "crl.pem"; "" is none. If \
                there is one, it must be kept up to date: past its end, no certificate is accepted.
                """
        )
    }

    /// The files, with their keys.
    var paths: [(key: String, path: String)] {
        [("identity.ca", ca), ("identity.certificate", certificate), ("identity.key", key), ("identity.crl", crl)]
    }

    /// `nil` if none is named.
    func revocations<Content>(of file: TOMLFile<Content>) -> String? { crl.isEmpty ? nil : file.resolve(crl) }
}
