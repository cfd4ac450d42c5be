import ArgumentParser
import Coordinator
import Federation
import Foundation
import Tensors
import Worker

struct ModelImportCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Register another base model.",
        discussion: """
            Sends the model to the coordinator and registers it under its name in the ledger, so that campaigns can \
            start from it. Needs an operator's certificate. The command is idempotent: registering the same model \
            under the same name again changes nothing.

            Example:
              kumiai model import base.safetensors --name FY2028
            """
    )

    @Argument(
        help: ArgumentHelp("The model: safetensors, float32.", valueName: "file"),
        completion: .file(extensions: ["safetensors"])
    )
    var file: String

    @Option(help: "The name to register it under.")
    var name: String

    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let name: String
        let model: String
        let bytes: UInt64
        let entry: UInt64
    }

    func execute() async throws {
        guard let name = ModelName(name) else {
            throw UsageError(
                "\"\(name)\" is not a valid model name",
                hint: "expected 1 to 64 letters, digits, . _ -, for example FY2028"
            )
        }
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent(
            "kumiai-import-\(UUID().uuidString)"
        ).path
        let whole = scratch + ".safetensors"
        defer { unlink(whole) }
        // The copy is both checked and sent; a model of several files becomes one file.
        try SafetensorsFile(path: file, called: "the model \(file)").copy(to: whole)
        let checked = try SafetensorsFile(path: whole, called: "the model \(file)")
        try ModelImport.check(checked)
        UntrainableNote.print(of: checked)
        let (entry, model) = try await ModelClient(options.dialer()).register(whole, as: name, scratch: scratch)
        if json.isOn {
            return try Report(name: name.text, model: model.digest.hex, bytes: model.byteCount, entry: entry)
                .printJSON()
        }
        Terminal.print(
            "registered \(name) (\(model.digest.short), \(Format.bytes(model.byteCount)), ledger entry \(entry))"
        )
    }
}
