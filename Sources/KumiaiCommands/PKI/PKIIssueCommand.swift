import ArgumentParser
import Coordinator
import Federation
import Foundation
import Identity

struct PKIIssueCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "issue", abstract: "Issue a participant's certificate.",
        discussion: """
            With --request, certifies the key of a request; otherwise makes the key too, which is for trying things out.

            Examples:
              kumiai pki issue operator/alice --ca pki --out alice
              kumiai pki issue member/acme/site/osaka --ca pki \\
                --request request.pem --out osaka
            """)

    @Argument(help: ArgumentHelp("member/M/site/S, operator/O, auditor/A or coordinator/C", valueName: "identity"))
    var identity: String

    @Option(help: "The CA's directory, with ca.pem and ca.key.", completion: .directory)
    var ca = "pki"

    @Option(
        help: ArgumentHelp("A PKCS #10 request made where the key is.", valueName: "file"),
        completion: .file(extensions: ["pem", "crt", "cer"]))
    var request: String?

    @Option(help: "Where to write certificate.pem, ca.pem and, without --request, key.pem.", completion: .directory)
    var out: String

    @Option(help: "How long it is valid, in days; otherwise as the profile says.")
    var days: Int?

    @Option(
        help: ArgumentHelp("Your own certificate profiles, in place of certs/kumiai.cnf.", valueName: "file"),
        completion: .file())
    var profiles: String?

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let identity: String
        let certificate: String
        /// Where the key was made here too.
        let key: String?
        let notAfter: String
    }

    func execute() async throws {
        let from = PKIFiles(directory: ca), files = PKIFiles(directory: out)
        let profiles = try profiles.map { CertificateProfiles(configuration: try Credentials.read($0)) } ?? .standard
        let authority = try CertificateAuthority(
            certificate: Certificate(pem: Credentials.read(from.authority)), key: PrivateKey(pem: Credentials.read(from.authorityKey)),
            profiles: profiles)
        let principal = try SPIFFE.principal("spiffe://\(try authority.consortium)/\(identity)")
        try files.create()
        let publicKey = try key(files)
        let certificate = try authority.issue(principal, for: publicKey, days: days, at: systemTime())
        try files.write(certificate.pem(), to: files.certificate)
        if files.authority != from.authority { try files.write(authority.certificate.pem(), to: files.authority) }
        if json.isOn {
            let (key, notAfter) = (request == nil ? files.key : nil, Format.time(certificate.notAfter))
            return try Report(identity: "\(principal)", certificate: files.certificate, key: key, notAfter: notAfter).printJSON()
        }
        Terminal.print("issued \(principal) until \(Format.time(certificate.notAfter)): \(files.certificate)")
    }

    private func key(_ files: PKIFiles) throws -> PublicKey {
        if let request { return try CertificateRequest(pem: Credentials.read(request)).publicKey }
        let key = try PrivateKey.generate()
        try files.write(key.pem(), to: files.key, isPrivate: true)
        return key.publicKey
    }
}

extension CertificateAuthority {
    /// The consortium that `kumiai pki ca` made the authority for, from its name.
    var consortium: String {
        get throws {
            let suffix = " certificate authority"
            guard let name = certificate.subject.components(separatedBy: "CN = ").last, name.hasSuffix(suffix) else {
                throw UsageError("\(certificate.subject) does not name a consortium", hint: "issue with the openssl command instead: certs/README.md")
            }
            return String(name.dropLast(suffix.count))
        }
    }
}
