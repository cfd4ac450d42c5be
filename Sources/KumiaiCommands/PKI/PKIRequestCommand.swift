import ArgumentParser
import Foundation
import Identity

struct PKIRequestCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "request",
        abstract: "Make a key and a request for its certificate, where the key will be used.",
        discussion: """
            Writes key.pem, which stays here, and request.pem, which goes to the CA. Where key.pem is there already, \
            it is kept, and the request is for it: a certificate that ends is renewed in this way.
            """
    )

    @Argument(help: ArgumentHelp("The identity, for the request's name.", valueName: "member/M/site/S"))
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
        // As the CA will read it; which consortium it is of, the CA says.
        _ = try SPIFFE.principal("spiffe://consortium.example/\(identity)")
        let files = PKIFiles(directory: out)
        try files.create()
        let isThere = FileManager.default.fileExists(atPath: files.key)
        let key = try isThere ? IdentityFile.key(files.key) : PrivateKey.generate()
        try requireOwnRequest(files, key)
        if !isThere { try files.write(key.pem(), to: files.key, isPrivate: true) }
        // No secret, and made from the key at any time.
        try IdentityFile.replace(CertificateRequest.pem(for: key, commonName: identity), at: files.request)
        if json.isOn { return try Report(identity: identity, key: files.key, request: files.request).printJSON() }
        if isThere {
            Terminal.note("\(files.key) was there, and the request is for it; a new key is made in a new directory")
        }
        Terminal.print("made \(isThere ? "" : "\(files.key) and ")\(files.request); send the request to the CA")
    }

    /// A request for this very key can be made anew at any time; one for another key is not ours to replace.
    private func requireOwnRequest(_ files: PKIFiles, _ key: PrivateKey) throws {
        guard FileManager.default.fileExists(atPath: files.request) else { return }
        let former = try? CertificateRequest(pem: Credentials.read(files.request)).publicKey
        guard former == key.publicKey else {
            throw UsageError(
                "\(files.request) is there already, and is no request for this key: nothing is overwritten",
                hint: "move it away"
            )
        }
    }
}
