import ArgumentParser
import Federation
import Identity

/// `--days` of what the CA signs.
struct LifetimeOption: ParsableArguments {
    @Option(help: "How long it is valid, in days; otherwise as the profile says. It never outlives the CA.")
    var days: Int?

    func validate() throws {
        guard let days, !(1...CertificateAuthority.maximumDays).contains(days) else { return }
        throw ValidationError("--days is \(days), expected 1 to \(CertificateAuthority.maximumDays)")
    }

    /// Says so where the CA's own end cut a certificate short.
    func note(_ certificate: Certificate, of authority: Certificate) {
        guard certificate.notAfter == authority.notAfter else { return }
        Terminal.note(
            "the certificate ends with its CA, at \(certificate.notAfter.text): a CA's certificates do not outlive it"
        )
    }
}
