import Contracts
import ArgumentParser
import Tensors

struct AdapterMergeCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Merge an adapter into its base model.",
        discussion: """
            Honours r, lora_alpha, rank_pattern, alpha_pattern, use_rslora, fan_in_fan_out, target_modules, \
            exclude_modules, modules_to_save and bias. Every other option of adapter_config.json that would change \
            the result is refused, and the error names it. Base, adapter and result must hold only finite numbers.
            """
    )

    @Argument(
        help: ArgumentHelp("The base model.", valueName: "base.safetensors"),
        completion: .file(extensions: ["safetensors"])
    )
    var base: String

    @Argument(
        help: ArgumentHelp("The adapter: adapter_config.json and adapter_model.safetensors.", valueName: "directory"),
        completion: .directory
    )
    var adapter: String

    @Option(
        help: ArgumentHelp("Where to write the merged model.", valueName: "file"),
        completion: .file(extensions: ["safetensors"])
    )
    var out: String

    @Flag(
        name: .customLong("force"),
        help: "Replace an existing file, and merge even if the adapter names another base model as its own."
    )
    var force = false

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let out: String
        let modules: Int
    }

    func execute() async throws {
        try OutputFile.prepare(out, force: force)
        try OutputFile.requireOther(out, than: [adapter])
        let base = try AdapterBase.open(base), adapter = try PEFTAdapter(reading: adapter)
        if force, let mismatch = try AdapterBase.mismatch(adapter, base) {
            Terminal.printNotice("\(mismatch); they are merged anyway because of --force")
        } else {
            try AdapterBase.check(adapter, base)
        }
        try PolicyConfiguration.requireLinear(adapter.modules.map(\.name), of: base)
        try OutputFile.replace(out, force: force) { try adapter.merge(into: base, to: $0) }
        if json.isOn { return try Report(out: out, modules: adapter.modules.count).printJSON() }
        Terminal.print("wrote \(out): \(adapter.modules.count) adapted modules")
    }
}
