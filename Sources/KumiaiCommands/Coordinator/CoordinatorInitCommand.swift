import ArgumentParser
import Coordinator
import Federation
import Foundation
import Identity
import Tensors

struct CoordinatorInitCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Write the configuration and found the consortium's ledger.",
        discussion: """
            The directory must hold ca.pem, certificate.pem and key.pem (kumiai pki issue coordinator/main). The base \
            model is imported under its name; campaigns start from it.

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

    @Option(help: ArgumentHelp("Where to listen; 127.0.0.1:7443 where nothing is said.", valueName: "host:port"))
    var listen: String?

    private static let defaultListen = "127.0.0.1:7443"

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let consortium: String
        let configuration: String
        let name: String
        let model: String
        let bytes: UInt64
        /// That the configuration was there before, and what was therefore ignored.
        let kept: Bool
        let ignored: [String]
    }

    func execute() async throws {
        guard let name = ModelName(name) else {
            throw UsageError(
                "\"\(name)\" is not a name of a model",
                hint: "expected at most 64 letters, digits, . _ -, for example FY2026"
            )
        }
        if let listen { _ = try Endpoint(listen, key: "--listen") }
        let path = directory + "/" + CoordinatorFile.name
        let file = try ConfigurationWriter.write(CoordinatorFile.text(listen: listen ?? Self.defaultListen), to: path) {
            (kept: TOMLFile<CoordinatorFile>) in
            listen.map { $0 == kept.content.listen ? [] : ["--listen \($0)"] } ?? []
        }
        let configuration = try CoordinatorFile.load(path)
        let model = try ConsortiumFounder(configuration).found(base: name, modelPath: baseModel, at: systemTime())
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
