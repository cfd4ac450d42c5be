import ArgumentParser
import Coordinator
import Federation
import Foundation
import Identity

struct PKIRevokeCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Revoke a certificate, and write the CA's list of revoked certificates (CRL).",
        discussion: """
            Writes crl.pem beside the CA. The list takes effect where coordinator.toml, worker.toml or operator.toml \
            names a copy of it (crl = "crl.pem" under [identity]); running services use a new list within seconds. \
            All certificates of the same key that the CA has issued or that are in the same directory are revoked \
            too, for example the one before a renewal. Without a certificate, the command only extends the list's \
            validity: after a list expires, no certificate is accepted.

            Examples:
              kumiai pki revoke osaka --ca pki
              kumiai pki revoke --ca pki          # only extends the list's validity
            """
    )

    @Argument(
        help: ArgumentHelp("The certificate, or the directory with certificate.pem.", valueName: "certificate"),
        completion: .file(extensions: ["pem", "crt", "cer"])
    )
    var certificate: String?

    @Option(help: "The CA's directory, with ca.pem and ca.key.", completion: .directory)
    var ca = "pki"

    @Option(help: "The list's validity in days.")
    var days = RevocationList.standardDays

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        /// Absent if only the list's validity was extended.
        let revoked: String?
        let serial: String?
        /// Other certificates of the same key.
        let alsoRevoked: [String]
        let list: String
        let notAfter: String
    }

    func validate() throws {
        guard (1...CertificateAuthority.maximumDays).contains(days) else {
            throw ValidationError("--days is \(days); expected 1 to \(CertificateAuthority.maximumDays)")
        }
    }

    func execute() async throws {
        let files = PKIFiles(directory: ca)
        let authority = try files.loadAuthority()
        let revoked = try certificate.map { try IdentityFile.certificates(path($0))[0] }
        let former = try files.loadRevocations(of: authority.certificate)
        let issued = IssuedCertificates(files, of: authority.certificate)
        // After a renewal the old certificate may be valid for a long time. The key is no longer trusted, so all of its
        // certificates are revoked.
        let siblings = try revoked.map { try issued.siblings(of: $0, at: path(certificate!)) } ?? []
        let list = try authority.revoke(
            (revoked.map { [$0] } ?? []) + siblings,
            after: former,
            days: days,
            at: systemTime()
        )
        // Stored, so that its key is not certified again.
        try revoked.map(issued.keep)
        try IdentityFile.replace(list.pem(), at: files.revocations)
        if json.isOn {
            return try Report(
                revoked: revoked.map { (try? $0.principal().description) ?? $0.subject },
                serial: revoked.map { "\($0.serial)" },
                alsoRevoked: siblings.map(\.serial),
                list: files.revocations,
                notAfter: list.term.notAfter.text
            ).printJSON()
        }
        if let revoked {
            Terminal.print(
                "revoked \((try? revoked.principal().description) ?? revoked.subject), serial \(revoked.serial)"
            )
            for sibling in siblings {
                Terminal.print("revoked another certificate of the same key, serial \(sibling.serial)")
            }
        }
        Terminal.print("wrote \(files.revocations), valid until \(Format.time(list.term.notAfter))")
        Terminal.printNotice(
            "copy it to the coordinator, and name it in coordinator.toml under [identity]: crl = \"crl.pem\""
        )
    }

    private func path(_ name: String) -> String {
        var isDirectory: ObjCBool = false
        let isThere = FileManager.default.fileExists(atPath: name, isDirectory: &isDirectory)
        return isThere && isDirectory.boolValue ? PKIFiles(directory: name).certificate : name
    }
}
