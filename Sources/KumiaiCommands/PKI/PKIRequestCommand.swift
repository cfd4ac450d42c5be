import ArgumentParser
import Foundation
import Identity

struct PKIRequestCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "request",
        abstract: "Make a key and a certificate request, on the machine that will use the key.",
        discussion: """
            Writes key.pem, which stays here, and request.pem, which you send to the CA. If key.pem already exists, it \
            is kept, and the request is for that key: in this way a certificate can be renewed.
            """
    )

    @Argument(help: ArgumentHelp("The identity that the request names.", valueName: "member/M/site/S"))
    var identity: String

    @Option(help: "Where to write key.pem and request.pem.", completion: .directory)
    var out: String

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let identity: String
        let key: String
        let request: String
    }

    func execute() async throws {
        // The same check as the CA's; the CA determines the consortium.
        _ = try SPIFFE.principal("spiffe://consortium.example/\(identity)")
        let files = PKIFiles(directory: out)
        try files.create()
        let isThere = FileManager.default.fileExists(atPath: files.key)
        let key = try isThere ? IdentityFile.key(files.key) : PrivateKey.generate()
        try requireOwnRequest(files, key)
        if !isThere { try files.write(key.pem(), to: files.key, isPrivate: true) }
        // The request is no secret, and can be made again from the key at any time.
        try IdentityFile.replace(CertificateRequest.pem(for: key, commonName: identity), at: files.request)
        if json.isOn { return try Report(identity: identity, key: files.key, request: files.request).printJSON() }
        if isThere {
            Terminal.printNotice(
                "\(files.key) already exists, and the request is for it; for a new key, use a new directory"
            )
        }
        Terminal.print("made \(isThere ? "" : "\(files.key) and ")\(files.request); send the request to the CA")
    }

    /// A request for the same key can be replaced, because it can be made again; one for another key must stay.
    private func requireOwnRequest(_ files: PKIFiles, _ key: PrivateKey) throws {
        guard FileManager.default.fileExists(atPath: files.request) else { return }
        let former = try? CertificateRequest(pem: Credentials.read(files.request)).publicKey
        guard former == key.publicKey else {
            throw UsageError(
                "\(files.request) already exists and is not a request for this key; nothing was overwritten",
                hint: "move it away"
            )
        }
    }
}
