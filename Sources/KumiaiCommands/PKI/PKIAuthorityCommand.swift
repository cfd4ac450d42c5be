import ArgumentParser
import Coordinator
import Federation
import Foundation
import Identity

struct PKIAuthorityCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "ca",
        abstract: "Make a consortium's certificate authority (CA).",
        discussion: "Writes ca.pem and ca.key. Keep the key offline: with it, anyone can impersonate any participant."
    )

    @Option(help: ArgumentHelp("The consortium's name, a SPIFFE trust domain.", valueName: "robots.example"))
    var consortium: String

    @Option(help: "Where to write ca.pem and ca.key.", completion: .directory)
    var out = "pki"

    @OptionGroup var lifetime: LifetimeOption

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let consortium: String
        let certificate: String
        let key: String
        let notAfter: String
    }

    func execute() async throws {
        let files = PKIFiles(directory: out)
        // The key may have been moved away, as it should be: a new key would not match the old certificate.
        for path in [files.authority, files.authorityKey] where FileManager.default.fileExists(atPath: path) {
            throw UsageError(
                "\(path) already exists; nothing was overwritten",
                hint: "choose another directory with --out"
            )
        }
        try files.create()
        let authority = try CertificateAuthority.create(consortium: consortium, days: lifetime.days, at: systemTime())
        try files.write(authority.key.pem(), to: files.authorityKey, isPrivate: true)
        try files.write(authority.certificate.pem(), to: files.authority)
        if json.isOn {
            let notAfter = Format.time(authority.certificate.notAfter)
            return try Report(
                consortium: consortium,
                certificate: files.authority,
                key: files.authorityKey,
                notAfter: notAfter
            ).printJSON()
        }
        Terminal.print("made the CA of \(consortium): \(files.authority), key in \(files.authorityKey)")
    }
}
