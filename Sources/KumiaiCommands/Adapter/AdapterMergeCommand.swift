import ArgumentParser
import Tensors

struct AdapterMergeCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "merge", abstract: "Fold an adapter into its base model.",
        discussion: "Honours r, lora_alpha, rank_pattern, alpha_pattern, use_rslora, fan_in_fan_out, modules_to_save and bias.")

    @Argument(
        help: ArgumentHelp("The base model.", valueName: "base.safetensors"),
        completion: .file(extensions: ["safetensors"]))
    var base: String

    @Argument(
        help: ArgumentHelp("The adapter: adapter_config.json and adapter_model.safetensors.", valueName: "directory"),
        completion: .directory)
    var adapter: String

    @Option(
        help: ArgumentHelp("Where the merged model goes.", valueName: "file"),
        completion: .file(extensions: ["safetensors"]))
    var out: String

    @Flag(help: "Merge also where the adapter says that it belongs to another base.")
    var force = false

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let out: String
        let modules: Int
    }

    func execute() async throws {
        let adapter = try PEFTAdapter(reading: adapter)
        try AdapterBase.check(adapter, base, isForced: force)
        try OutputFile.replace(out) { try adapter.merge(into: SafetensorsFile(path: base), to: $0) }
        if json.isOn { return try Report(out: out, modules: adapter.modules.count).printJSON() }
        Terminal.print("wrote \(out): \(adapter.modules.count) adapted modules")
    }
}
