import ArgumentParser
import Federation
import Transport
import Wire

/// What operators' requests share that stand in the ledger with their reason.
struct ReasonedRequest: ParsableArguments {
    @Option(help: "Why; it stands in the ledger, auditors read it, and the sites that it concerns are told.")
    var reason: String

    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    func validate() throws {
        guard (1...CampaignChange.reasonBytes).contains(reason.utf8.count) else {
            throw ValidationError("--reason: expected 1 to \(CampaignChange.reasonBytes) bytes")
        }
    }

    /// Asks for an entry, and returns its place in the ledger.
    func record(_ message: ClientMessage) async throws -> UInt64 {
        guard case .recorded(let index) = try await options.ask(message) else {
            throw TransportError(.unexpected, "the coordinator did not answer with the entry")
        }
        return index
    }
}
