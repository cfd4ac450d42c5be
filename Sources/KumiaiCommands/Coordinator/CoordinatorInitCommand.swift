import ArgumentParser
import Coordinator
import Federation
import Foundation
import Identity
import Tensors

struct CoordinatorInitCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Write the configuration and create the consortium's ledger.",
        discussion: """
            The directory must contain ca.pem, certificate.pem and key.pem (kumiai pki issue coordinator/main). The \
            base model is registered under its name; campaigns can start from it.

            Example:
              kumiai coordinator init coordinator --base-model base.safetensors \\
                --name FY2026
            """
    )

    @Argument(help: "The coordinator's directory.", completion: .directory)
    var directory: String

    @Option(
        help: ArgumentHelp("The base model: safetensors, float32.", valueName: "file"),
        completion: .file(extensions: ["safetensors"])
    )
    var baseModel: String

    @Option(help: "The base model's name.")
    var name: String

    @Option(help: ArgumentHelp("The address to listen on; default: 127.0.0.1:7443.", valueName: "host:port"))
    var listen: String?

    private static let defaultListen = "127.0.0.1:7443"

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let consortium: String
        let configuration: String
        let name: String
        let model: String
        let bytes: UInt64
        /// Whether the configuration already existed, and which options were ignored for that reason.
        let kept: Bool
        let ignored: [String]
    }

    func execute() async throws {
        guard let name = ModelName(name) else {
            throw UsageError(
                "\"\(name)\" is not a valid model name",
                hint: "expected 1 to 64 letters, digits, . _ -, for example FY2026"
            )
        }
        if let listen { _ = try Endpoint(listen, key: "--listen") }
        let path = directory + "/" + CoordinatorFile.name
        let file = try ConfigurationWriter.write(
            CoordinatorFile(listen: listen ?? Self.defaultListen).template,
            to: path
        ) {
            (kept: TOMLFile<CoordinatorFile>) in
            listen.map { $0 == kept.content.listen ? [] : ["--listen \($0)"] } ?? []
        }
        let configuration = try CoordinatorFile.load(path)
        let model = try CoordinatorFile.naming(path) {
            try ConsortiumFounder(configuration).found(base: name, modelPath: baseModel, at: systemTime())
        }
        UntrainableNote.print(of: try SafetensorsFile(path: baseModel))
        if json.isOn {
            return try Report(
                consortium: configuration.consortium,
                configuration: path,
                name: name.text,
                model: model.digest.hex,
                bytes: model.byteCount,
                kept: file.kept,
                ignored: file.ignored
            ).printJSON()
        }
        Terminal.print(
            "founded \(configuration.consortium) with \(name) (\(model.digest.short), \(Format.bytes(model.byteCount)))"
        )
        Terminal.print("next: kumiai coordinator run --config \(path.shellQuoted)")
    }
}
