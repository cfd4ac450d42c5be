import ArgumentParser
import Federation
import Transport
import Wire

struct CoordinatorPruneCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Remove updates and models whose retention has passed.",
        discussion: """
            The plan says how long the updates of a round are kept (retention_seconds). Older updates are removed from \
            the coordinator's disk. The ledger records the removal and keeps its entries, so that those rounds can \
            still be verified, but no longer replayed. Models that a release, a later round or another campaign needs \
            are kept. Needs an operator's certificate.
            """
    )

    @Flag(help: "Show what would be removed, and remove nothing.")
    var dryRun = false

    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let removed: Bool
        let rounds: Int
        let blobs: Int
        let bytes: UInt64
    }

    func execute() async throws {
        guard case .updatesRemoved(let report) = try await options.ask(.pruneUpdates(dryRun: dryRun)) else {
            throw TransportError(.unexpected, "the coordinator's answer does not say what was removed")
        }
        let removed = !dryRun && report.rounds > 0
        if json.isOn {
            return try Report(removed: removed, rounds: report.rounds, blobs: report.blobs, bytes: report.byteCount)
                .printJSON()
        }
        guard report.rounds > 0 else { return Terminal.print("nothing to remove: no round's retention has passed") }
        let verb = dryRun ? "would remove" : "removed"
        Terminal.print(
            """
            \(verb) \(counted(report.blobs, "blob")) (\(Format.bytes(report.byteCount))) of \
            \(counted(report.rounds, "round"))
            """
        )
    }
}
