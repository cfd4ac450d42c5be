import ArgumentParser
import Coordinator
import Federation
import Foundation
import Identity

struct PKIRenewCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "renew",
        abstract: "Renew a certificate for the same key.",
        discussion: """
            Replaces DIRECTORY/certificate.pem and keeps the old certificate beside it; the key is not changed. A \
            running worker or coordinator uses the new certificate within seconds. The key need not be in DIRECTORY: \
            a copy of the certificate is enough. In that case, copy the new certificate to the machine that has the key.

            Example:
              kumiai pki renew osaka --ca pki
            """
    )

    @Argument(help: "The directory with certificate.pem.", completion: .directory)
    var directory: String

    @Option(help: "The CA's directory, with ca.pem and ca.key.", completion: .directory)
    var ca = "pki"

    @OptionGroup var lifetime: LifetimeOption

    @OptionGroup var profiles: ProfilesOption

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let identity: String
        let notAfter: String
        let certificate: String
        let former: String
    }

    func execute() async throws {
        let from = PKIFiles(directory: ca), files = PKIFiles(directory: directory)
        let authority = try from.loadAuthority(profiles: profiles.load())
        let former = try IdentityFile.certificates(files.certificate)[0]
        let principal = try check(former, files, from, authority)
        let certificate = try authority.issue(principal, for: former.publicKey, days: lifetime.days, at: systemTime())
        let issued = IssuedCertificates(from, of: authority.certificate)
        for known in [former, certificate] { try issued.keep(known) }
        let kept = try files.replaceCertificate(former, with: certificate)
        if json.isOn {
            return try Report(
                identity: "\(principal)",
                notAfter: certificate.notAfter.text,
                certificate: files.certificate,
                former: kept
            ).printJSON()
        }
        Terminal.print(
            """
            renewed \(principal) until \(Format.time(certificate.notAfter)): \(files.certificate); the old one is \
            \(kept)
            """
        )
        lifetime.printNotice(of: certificate, from: authority.certificate)
    }

    private func check(_ former: Certificate, _ files: PKIFiles, _ from: PKIFiles, _ authority: CertificateAuthority)
        throws
        -> Principal
    {
        guard former.isSigned(by: authority.certificate) else {
            throw UsageError(
                "\(files.certificate) was not issued by the CA in \(ca), but by \(former.issuer)",
                hint: "name its CA with --ca; to issue one under another CA, use kumiai pki issue --request"
            )
        }
        try IssuedCertificates(from, of: authority.certificate).requireNotRevoked(
            former.publicKey,
            by: from.loadRevocations(of: authority.certificate),
            called: files.certificate,
            beside: directory
        )
        if FileManager.default.fileExists(atPath: files.key), try !former.matches(IdentityFile.key(files.key)) {
            throw UsageError(
                "\(files.key) is not the key of \(files.certificate)",
                hint: "to certify that key, make a request for it: kumiai pki request"
            )
        }
        return try former.principal()
    }
}
