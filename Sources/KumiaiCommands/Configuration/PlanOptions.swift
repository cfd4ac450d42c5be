import ArgumentParser
import Federation

extension Compression.Kind: ExpressibleByArgument {}

/// What of a plan the command line can choose; the rest is edited in its file.
struct PlanOptions: ParsableArguments {
    @Option(help: "Train adapters of this rank in place of the whole model; 0 trains the model.")
    var loraRank = 0

    @Option(help: "The form in which updates are sent.")
    var compression: Compression.Kind = .none

    func validate() throws {
        guard (0...PlanLimits.loraRank).contains(loraRank) else {
            throw ValidationError("--lora-rank: expected 0 to \(PlanLimits.loraRank)")
        }
    }
}
