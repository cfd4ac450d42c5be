import ArgumentParser
import Federation
import Transport
import Wire

/// The options of operators' requests that are recorded in the ledger with a reason.
struct ReasonedRequest: ParsableArguments {
    @Option(help: "The reason; it is recorded in the ledger for auditors and shown to the sites concerned.")
    var reason: String

    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    func validate() throws {
        guard (1...CampaignChange.reasonBytes).contains(reason.utf8.count) else {
            throw ValidationError("--reason: expected 1 to \(CampaignChange.reasonBytes) bytes")
        }
    }

    /// Requests an entry, and returns its index in the ledger.
    func record(_ message: ClientMessage) async throws -> UInt64 {
        guard case .recorded(let index) = try await options.ask(message) else {
            throw TransportError(.unexpected, "the coordinator's answer does not name the entry")
        }
        return index
    }
}
