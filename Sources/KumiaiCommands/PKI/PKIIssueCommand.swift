import ArgumentParser
import Coordinator
import Federation
import Foundation
import Identity

struct PKIIssueCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "issue",
        abstract: "Issue a participant's certificate.",
        discussion: """
            With --request, certifies the key of a request. Without it, makes a key too, which is meant for tests. If \
            --out contains a certificate of the same identity and key, the new one replaces it, and the old one is \
            kept beside it.

            Examples:
              kumiai pki issue operator/alice --ca pki --out alice
              kumiai pki issue member/acme/site/osaka --ca pki \\
                --request request.pem --out osaka
            """
    )

    @Argument(help: ArgumentHelp("member/M/site/S, operator/O, auditor/A or coordinator/C", valueName: "identity"))
    var identity: String

    @Option(help: "The CA's directory, with ca.pem and ca.key.", completion: .directory)
    var ca = "pki"

    @Option(
        help: ArgumentHelp("A PKCS #10 request, made where the key is.", valueName: "file"),
        completion: .file(extensions: ["pem", "crt", "cer"])
    )
    var request: String?

    @Option(help: "Where to write certificate.pem, ca.pem and, without --request, key.pem.", completion: .directory)
    var out: String

    @OptionGroup var lifetime: LifetimeOption

    @OptionGroup var profiles: ProfilesOption

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let identity: String
        let certificate: String
        /// The new key's file; absent with --request.
        let key: String?
        let notAfter: String
    }

    func execute() async throws {
        let from = PKIFiles(directory: ca), files = PKIFiles(directory: out)
        let authority = try from.loadAuthority(profiles: profiles.load())
        let principal = try SPIFFE.principal("spiffe://\(try authority.consortium)/\(identity)")
        // Without a request, a new key; it is written only after all other checks have passed.
        let made = try request == nil ? PrivateKey.generate() : nil
        let publicKey = try made?.publicKey ?? CertificateRequest(pem: Credentials.read(request!)).publicKey
        let issued = IssuedCertificates(from, of: authority.certificate)
        try issued.requireNotRevoked(
            publicKey,
            by: from.loadRevocations(of: authority.certificate),
            called: request ?? identity,
            beside: out
        )
        let former = try former(files, principal, publicKey)
        let certificate = try authority.issue(principal, for: publicKey, days: lifetime.days, at: systemTime())
        try issued.keep(certificate)
        try files.create()
        if let made { try files.write(made.pem(), to: files.key, isPrivate: true) }
        if let former {
            let kept = try files.replaceCertificate(former, with: certificate)
            Terminal.printNotice("the old certificate is kept as \(kept)")
        } else {
            try files.write(certificate.pem(), to: files.certificate)
        }
        try writeAuthority(authority.certificate, from, files)
        if json.isOn {
            let (key, notAfter) = (request == nil ? files.key : nil, Format.time(certificate.notAfter))
            return try Report(identity: "\(principal)", certificate: files.certificate, key: key, notAfter: notAfter)
                .printJSON()
        }
        Terminal.print("issued \(principal) until \(Format.time(certificate.notAfter)): \(files.certificate)")
        lifetime.printNotice(of: certificate, from: authority.certificate)
    }

    /// The certificate that the new one replaces; a certificate of another identity or key is never replaced.
    private func former(_ files: PKIFiles, _ principal: Principal, _ key: PublicKey) throws -> Certificate? {
        guard FileManager.default.fileExists(atPath: files.certificate) else { return nil }
        let former = try IdentityFile.certificates(files.certificate)[0]
        guard try former.principal() == principal, try former.publicKey == key else {
            throw UsageError(
                "\(files.certificate) already exists, for another identity or another key; nothing was overwritten",
                hint: "for the existing key: kumiai pki renew; for a new key, choose another directory with --out"
            )
        }
        return former
    }

    private func writeAuthority(_ authority: Certificate, _ from: PKIFiles, _ files: PKIFiles) throws {
        guard files.authority != from.authority else { return }
        if FileManager.default.fileExists(atPath: files.authority) {
            let known = try IdentityFile.certificates(files.authority)
            if known.contains(where: { $0.digest == authority.digest }) { return }
        }
        try files.write(authority.pem(), to: files.authority)
    }
}

extension CertificateAuthority {
    /// The consortium's name, from the subject that `kumiai pki ca` wrote into the certificate.
    var consortium: String {
        get throws {
            let suffix = " certificate authority"
            guard let name = certificate.subject.components(separatedBy: "CN = ").last, name.hasSuffix(suffix) else {
                throw UsageError(
                    "\(certificate.subject) does not name a consortium",
                    hint: "issue the certificate with the openssl command instead: see certs/README.md"
                )
            }
            return String(name.dropLast(suffix.count))
        }
    }
}
