import ArgumentParser
import Federation
import Identity

/// `--days` of the certificates that the CA signs.
struct LifetimeOption: ParsableArguments {
    @Option(help: "Validity in days; default: as the profile says. It never exceeds the CA's validity.")
    var days: Int?

    func validate() throws {
        guard let days, !(1...CertificateAuthority.maximumDays).contains(days) else { return }
        throw ValidationError("--days is \(days); expected 1 to \(CertificateAuthority.maximumDays)")
    }

    /// Says if a certificate ends early because its CA ends.
    func printNotice(of certificate: Certificate, from authority: Certificate) {
        guard certificate.notAfter == authority.notAfter else { return }
        Terminal.printNotice(
            "the certificate ends with its CA, at \(certificate.notAfter.text): no certificate outlives its CA"
        )
    }
}
