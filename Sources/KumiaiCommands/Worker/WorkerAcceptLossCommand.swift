import ArgumentParser
import Blobs
import Federation
import Foundation
import Worker

struct WorkerAcceptLossCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "accept-loss",
        abstract: "Accept, once, that the consortium's ledger has lost entries.",
        discussion: """
            A site keeps the newest tree head of the ledger that it has seen, and sends nothing to a coordinator \
            whose ledger is an older one. Where the consortium's operator has declared the loss in the ledger, this \
            accepts it. The site's evidence is kept: the lost tree head, and in receipts-of-lost-entries the receipts \
            that the ledger does not hold any more. Without --yes it only shows what was declared. Ends with 1 where \
            the worker has heard of no loss.
            """
    )

    @Option(name: .shortAndLong, help: WorkerFile.help, completion: .file(extensions: ["toml"]))
    var config = WorkerFile.defaultPath

    @Flag(help: "Accept what is shown.")
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
                "no loss that this site has heard of waits for its word",
                code: ExitStatus.failed,
                hint:
                    """
                    the worker hears of one when it connects, at the latest 90 s after it was declared; kumiai worker \
                    status says whether it waits
                    """
            )
        }
        if json.isOn { return try reports.printJSON() }
        for report in reports {
            Terminal.print(
                """
                \(report.declaredBy) declares that of an earlier ledger at most the first \(report.keptEntries) \
                entries were kept, and the others lost
                """
            )
            Terminal.print("reason: \(report.reason)")
            Terminal.print(
                "lost tree head: \(report.lostTreeHead.split(separator: "\n").prefix(3).joined(separator: " "))"
            )
        }
        Terminal.print(
            yes
                ? "accepted; the worker goes on when it connects again, within a minute"
                : "to accept it: kumiai worker accept-loss --yes --config \(config.shellQuoted)"
        )
    }
}
