import Contracts
import Demonstrations
import Policies
import ArgumentParser
import Foundation
import Tensors
import Worker

/// The options that name demonstrations on the command line.
struct DemonstrationOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "A robomimic or ALOHA HDF5 file, or a directory of ALOHA files.",
            valueName: "demonstrations"
        ),
        completion: .file()
    )
    var demonstrations: String

    @Option(help: "The instruction of the demonstrations, if their files do not contain one.")
    var instruction = ""

    @Option(
        help: ArgumentHelp(
            "Steps per second of the demonstrations, if their files do not contain it; 0: unknown.",
            valueName: "hertz"
        )
    )
    var controlHz = 0.0

    func validate() throws {
        guard (0...10_000).contains(controlHz) else {
            throw ValidationError("--control-hz is \(controlHz); expected 0 to 10000")
        }
    }

    func read(_ split: Split, for configuration: PolicyConfiguration) throws -> DemonstrationSet {
        guard RegularFile.kind(of: demonstrations) != nil else {
            throw UsageError(
                "\(demonstrations) does not exist",
                hint: "name the demonstrations: a file, or a directory of ALOHA files"
            )
        }
        return try DemonstrationReader().read(
            demonstrations,
            split: split,
            for: configuration,
            declared: .init(instruction: instruction, controlHertz: controlHz),
            scratch: FileManager.default.temporaryDirectory.path
        )
    }
}

/// A model on the command line, merged with an adapter if one is named.
enum PolicyFile {
    static func load(_ model: String, adapter: String?) throws -> Policy {
        guard let adapter else { return try Policy(SafetensorsFile(path: model)) }
        let base = try AdapterBase.open(model)
        let merged = FileManager.default.temporaryDirectory.appendingPathComponent("kumiai-merged-\(UUID().uuidString)")
            .path
        defer { unlink(merged) }
        let read = try PEFTAdapter(reading: adapter)
        try AdapterBase.check(read, base)
        try read.merge(into: base, to: merged)
        return try Policy(SafetensorsFile(path: merged, called: "the base model \(model) with the adapter \(adapter)"))
    }
}
