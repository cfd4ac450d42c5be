import ArgumentParser
import Blobs
import Federation
import Foundation
import Worker

struct WorkerAcceptLossCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "accept-loss",
        abstract: "Accept that the consortium's ledger has lost entries.",
        discussion: """
            A site stores the newest tree head of the ledger that it has seen, and sends nothing to a coordinator \
            whose ledger is older. If the consortium's operator has declared the loss in the ledger, this command \
            accepts the declaration; each loss is accepted once. The site keeps its evidence: the lost tree head and, \
            in receipts-of-lost-entries, the receipts of entries that the ledger no longer contains. Without --yes, \
            the command only shows the declaration. Exits with 1 if the worker has received no declaration.
            """
    )

    @Option(name: .shortAndLong, help: WorkerFile.help, completion: .file(extensions: ["toml"]))
    var config = WorkerFile.defaultPath

    @Flag(help: "Accept the declared loss.")
    var yes = false

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let declaredBy: String
        let reason: String
        let keptEntries: UInt64
        let lostTreeHead: String
        let accepted: Bool
    }

    func execute() async throws {
        let configuration = try WorkerFile.load(config)
        let losses = try DeclaredLosses(configuration)
        let reports = losses.proposed.map { loss in
            Report(
                declaredBy: loss.declaredBy,
                reason: loss.reason,
                keptEntries: loss.keptEntries,
                lostTreeHead: loss.lostTreeHead,
                accepted: yes
            )
        }
        if yes { try losses.acceptAll() }
        guard !reports.isEmpty else {
            throw UsageError(
                "there is no declared loss for this site to accept",
                code: ExitStatus.failed,
                hint:
                    """
                    a running worker receives a declaration when it connects, at most 90 s after the operator has made \
                    it; kumiai worker status shows whether the worker waits for one
                    """
            )
        }
        if json.isOn { return try reports.printJSON() }
        for report in reports {
            Terminal.print(
                """
                \(report.declaredBy) declares a loss: at most the first \(report.keptEntries) entries of an earlier \
                ledger were kept, the others are lost
                """
            )
            Terminal.print("reason: \(report.reason)")
            Terminal.print(
                "lost tree head: \(report.lostTreeHead.split(separator: "\n").prefix(3).joined(separator: " "))"
            )
        }
        Terminal.print(
            yes
                ? "accepted; the worker continues when it connects again, within a minute"
                : "to accept it: kumiai worker accept-loss --yes --config \(config.shellQuoted)"
        )
    }
}
