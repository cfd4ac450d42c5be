import ArgumentParser
import Identity

struct PKIRequestCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "request", abstract: "Make a key and a request for its certificate, where the key will be used.",
        discussion: "Writes key.pem, which stays here, and request.pem, which goes to the CA.")

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
        let files = PKIFiles(directory: out)
        try files.create()
        let key = try PrivateKey.generate()
        try files.write(key.pem(), to: files.key, isPrivate: true)
        try files.write(CertificateRequest.pem(for: key, commonName: identity), to: files.request)
        if json.isOn { return try Report(identity: identity, key: files.key, request: files.request).printJSON() }
        Terminal.print("made \(files.key) and \(files.request); send the request to the CA")
    }
}
