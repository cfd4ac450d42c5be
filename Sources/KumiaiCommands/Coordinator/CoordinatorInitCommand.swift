import ArgumentParser
import Coordinator
import Federation
import Foundation
import Identity

struct CoordinatorInitCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write the configuration and found the consortium's ledger.",
        discussion: """
            The directory must hold ca.pem, certificate.pem and key.pem (kumiai pki issue coordinator/main). The base
            model is imported under its name; campaigns start from it.

            Example:
              kumiai coordinator init coordinator --base-model image.safetensors --name FY2026
            """)

    @Argument(help: "The coordinator's directory.")
    var directory: String

    @Option(help: ArgumentHelp("The base model: safetensors, float32.", valueName: "file"))
    var baseModel: String

    @Option(help: "The base model's name.")
    var name: String

    @Option(help: ArgumentHelp("Where to listen.", valueName: "host:port"))
    var listen = "127.0.0.1:7443"

    func execute() async throws {
        guard let name = ModelName(name) else {
            throw UsageError("\"\(name)\" is no name", hint: "letters, digits, . _ - and at most 64 of them, for example FY2026")
        }
        let path = directory + "/" + CoordinatorFile.name
        try ConfigurationWriter.write(CoordinatorFile.text(listen: listen), to: path)
        let configuration = try CoordinatorFile.load(path)
        let model = try ConsortiumFounder(configuration).found(base: name, modelPath: baseModel, at: systemTime())
        Terminal.print("founded \(configuration.consortium) with \(name) (\(model.digest.short), \(Format.bytes(model.byteCount)))")
        Terminal.print("next: kumiai coordinator run --config \(path)")
    }
}

/// Writes a configuration once; what is there already is kept.
enum ConfigurationWriter {
    /// `isPrivate`: it may come to hold a password.
    static func write(_ text: String, to path: String, isPrivate: Bool = false) throws {
        let folder = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder.isEmpty ? "." : folder, withIntermediateDirectories: true)
        guard !FileManager.default.fileExists(atPath: path) else {
            Terminal.note("\(path) is there already and was kept")
            return
        }
        try IdentityFile.create(Array(text.utf8), at: path, mode: isPrivate ? 0o600 : 0o644)
        Terminal.note("wrote \(path)")
    }
}
