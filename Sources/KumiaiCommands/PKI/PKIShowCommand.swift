import ArgumentParser
import Coordinator
import Federation
import Identity
import Transport

struct PKIShowCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a certificate's identity, and whether the certificate is valid."
    )

    @Argument(
        help: ArgumentHelp("A PEM certificate, or a directory with certificate.pem.", valueName: "file"),
        completion: .file(extensions: ["pem", "crt", "cer"])
    )
    var file: String

    @Option(
        help: ArgumentHelp("Check it against this CA.", valueName: "ca.pem"),
        completion: .file(extensions: ["pem", "crt", "cer"])
    )
    var ca: String?

    @Option(
        help: ArgumentHelp("Check it against this list of revoked certificates; needs --ca.", valueName: "crl.pem"),
        completion: .file(extensions: ["pem"])
    )
    var crl: String?

    @OptionGroup var json: JSONOption

    func validate() throws {
        if crl != nil, ca == nil {
            throw ValidationError("--crl needs --ca: the list is verified by the CA's signature")
        }
    }

    struct Report: Encodable {
        let subject: String
        let issuer: String
        let identity: String?
        let problem: String?
        let notBefore: String
        let notAfter: String
        let sha256: String
    }

    func execute() async throws {
        let certificate = try IdentityFile.certificates(ConfigurationSearch.file("certificate.pem", at: file))[0]
        let roots = try ca.map { try IdentityFile.roots($0, revocations: crl) }
        var identity: String?
        var problem: String?
        do {
            identity =
                try roots?.verify(certificate, at: systemTime()).description
                ?? (certificate.isAuthority ? nil : certificate.principal().description)
        } catch {
            problem = describe(error)
            // The identity is shown even if the certificate is not trusted.
            identity = try? certificate.principal().description
        }
        let report = Report(
            subject: certificate.subject,
            issuer: certificate.issuer,
            identity: identity,
            problem: problem,
            notBefore: Format.time(certificate.notBefore),
            notAfter: Format.time(certificate.notAfter),
            sha256: certificate.digest.hex
        )
        if json.isOn { try report.printJSON() } else { show(report, certificate) }
        if problem != nil { throw ExitStatus.failed }
    }

    private func show(_ report: Report, _ certificate: Certificate) {
        Terminal.print("subject   \(report.subject)")
        Terminal.print("issuer    \(report.issuer)")
        Terminal.print("identity  \(report.identity ?? (certificate.isAuthority ? "a certificate authority" : "none"))")
        Terminal.print("valid     \(report.notBefore) to \(report.notAfter)")
        if let notice = certificate.term.notice(at: systemTime()) {
            Terminal.print("          " + Terminal.styled("it \(notice)", .red))
        }
        Terminal.print("SHA-256   \(report.sha256)")
        if report.problem == nil, let ca {
            Terminal.print("verified  under \(ca)\(crl.map { ", and not revoked by \($0)" } ?? "")")
        }
        if let problem = report.problem { Terminal.print("problem   " + Terminal.styled(problem, .red)) }
    }
}
