import ArgumentParser
import Federation
import Transport
import Wire

struct ReleaseCutCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "cut",
        abstract: "Cut the release that the finished campaign leads to.",
        discussion: """
            The release becomes a registered model: the next campaign can start from it. Adapters are folded into it. \
            Cutting it again changes nothing.

            With --adapter, where the plan has adapters, the release also holds one, in PEFT's layout, that leads \
            from the campaign's base as close to the release as its rank allows; what it lacks is reported as \
            discarded energy.
            """
    )

    @Argument(help: "The release's name, as in the plan.")
    var name: String

    @Flag(help: "Also write an adapter, of --rank.")
    var adapter = false

    @Option(help: "The adapter's rank; 8 where nothing is said.")
    var rank: Int?

    @Option(
        help: "A committed round of an ended campaign to release, in place of the last one of a completed campaign."
    )
    var round: Int?

    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let release: String
        /// The one that was named; absent: the last.
        let round: Int?
        let model: String
        let directory: String
        let discardedEnergy: Double?
    }

    private static let defaultRank = 8

    func validate() throws {
        if let round, round < 1 { throw ValidationError("--round: expected 1 or more") }
        guard let rank else { return }
        guard (1...PlanLimits.loraRank).contains(rank) else {
            throw ValidationError("--rank is 1 to \(PlanLimits.loraRank)")
        }
        guard adapter else { throw ValidationError("--rank is an adapter's: give --adapter too") }
    }

    func execute() async throws {
        guard let name = ModelName(name) else { throw UsageError("\"\(name)\" is no name of a release") }
        let request = ClientMessage.cutRelease(name, round: round, adapterRank: adapter ? rank ?? Self.defaultRank : 0)
        guard case .releaseReady(let release, let model, let directory, let discarded) = try await options.ask(request)
        else {
            throw TransportError(.unexpected, "the coordinator did not say whether the release is cut")
        }
        if json.isOn {
            return try Report(
                release: release.text,
                round: round,
                model: model.hex,
                directory: directory,
                discardedEnergy: discarded
            ).printJSON()
        }
        Terminal.print("cut \(release) (\(model.short)) in \(directory)")
        if let discarded {
            Terminal.print("its adapter lacks \(Format.number(100 * discarded, digits: 3)) % of the change's energy")
        }
        // The directory is the coordinator's word, and is no part of a command to copy.
        Terminal.print("next: kumiai release fetch \(release)\(options.shellOption), which verifies it on arrival")
    }
}
