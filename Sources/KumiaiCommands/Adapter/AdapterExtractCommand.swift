import Contracts
import ArgumentParser
import Federation
import Foundation
import Releases
import Tensors

struct AdapterExtractCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "extract",
        abstract: "Make the adapter that best approximates the change from one model to another.",
        discussion: """
            For each module, computes the best approximation of the given rank from the singular values. Reports the \
            part of the change's energy that the adapter lacks; this includes tensors that have no adapter.
            """
    )

    @Argument(
        help: ArgumentHelp("The base model.", valueName: "base.safetensors"),
        completion: .file(extensions: ["safetensors"])
    )
    var base: String

    @Argument(
        help: ArgumentHelp("The model to approximate.", valueName: "model.safetensors"),
        completion: .file(extensions: ["safetensors"])
    )
    var model: String

    @Option(help: ArgumentHelp("Where to write the adapter.", valueName: "directory"), completion: .directory)
    var out: String

    @Option(help: "The adapter's rank.")
    var rank = 8

    @OptionGroup var adapter: AdapterOptions
    @OptionGroup var force: ForceOption

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let out: String
        let rank: Int
        let energy: Double
        let discardedEnergy: Double
    }

    func validate() throws {
        guard (1...PlanLimits.loraRank).contains(rank) else {
            throw ValidationError("--rank is \(rank); expected 1 to \(PlanLimits.loraRank)")
        }
    }

    func execute() async throws {
        try OutputFile.prepareDirectory(out, for: PEFTAdapter.fileNames, force: force.isOn)
        let start = try AdapterBase.open(base)
        try adapter.check(for: start.layout)
        let end = try SafetensorsFile(path: model, called: "the model \(model)")
        try requireOneContract(start, end)
        try PolicyConfiguration.requireLinear(
            AdapterLayout(base: start.layout, rank: rank, targets: adapter.targets).modules.map(\.name),
            of: start
        )
        let extraction = try AdapterExtraction(
            from: start,
            to: end,
            rank: rank,
            alpha: adapter.alpha,
            targets: adapter.targets
        )
        let digest = try AdapterBase.digest(of: start)
        try OutputFile.replaceDirectory(out, files: PEFTAdapter.fileNames, force: force.isOn) {
            try extraction.write(to: $0, base: base, baseDigest: digest)
        }
        if json.isOn {
            return try Report(out: out, rank: rank, energy: extraction.energy, discardedEnergy: extraction.discarded)
                .printJSON()
        }
        Terminal.print(
            """
            wrote \(out): rank \(rank), lacks \(Format.number(100 * extraction.discarded, digits: 3)) % of the \
            change's energy
            """
        )
    }

    /// An adapter changes only weights: any other difference would be lost silently.
    private func requireOneContract(_ base: SafetensorsFile, _ model: SafetensorsFile) throws {
        guard let one = try? PolicyConfiguration(of: base), let other = try? PolicyConfiguration(of: model),
            one != other
        else { return }
        throw UsageError(
            "\(base.name) and \(model.name) have different configurations or contracts, and an adapter cannot carry that",
            hint: "name the base that the model was trained from; kumiai policy show prints a model's configuration"
        )
    }
}
