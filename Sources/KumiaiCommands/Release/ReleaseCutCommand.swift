import ArgumentParser
import Federation
import Transport
import Wire

struct ReleaseCutCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "cut",
        abstract: "Cut the release of a completed campaign.",
        discussion: """
            The release becomes a registered model: the next campaign can start from it. Adapters are merged into it. \
            The command is idempotent: cutting the same release again changes nothing.

            With --adapter (if the plan has adapters), the release also contains an adapter in PEFT's format. The \
            adapter approximates the change from the campaign's base to the release as closely as its rank allows; \
            the part that it lacks is reported as discarded energy.
            """
    )

    @Argument(help: "The release's name, as in the plan.")
    var name: String

    @Flag(help: "Also write an adapter; --rank sets its rank.")
    var adapter = false

    @Option(help: "The adapter's rank; default: 8.")
    var rank: Int?

    @Option(
        help: "Release this committed round of an ended campaign, instead of a completed campaign's last round."
    )
    var round: Int?

    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let release: String
        /// The value of --round; absent: the last round.
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
            throw ValidationError("--rank is \(rank); expected 1 to \(PlanLimits.loraRank)")
        }
        guard adapter else { throw ValidationError("--rank applies to an adapter: add --adapter") }
    }

    func execute() async throws {
        guard let name = ModelName(name) else { throw UsageError("\"\(name)\" is not a valid release name") }
        let request = ClientMessage.cutRelease(name, round: round, adapterRank: adapter ? rank ?? Self.defaultRank : 0)
        guard case .releaseReady(let release, let model, let directory, let discarded) = try await options.ask(request)
        else {
            throw TransportError(.unexpected, "the coordinator's answer does not say whether the release was cut")
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
        // The directory's name comes from the coordinator and must not become part of a command to copy.
        Terminal.print("next: kumiai release fetch \(release)\(options.shellOption), which also verifies it")
    }
}
