import ArgumentParser
import Audit
import Federation
import Ledger

struct AuditVerifyCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check every hash and signature, and that each entry follows from those before it.",
        discussion: """
            Exits with 3 if anything was tampered with, and names it. Exits with 6 if the ledger was founded under \
            another CA than --ca; nothing is checked then. A history that was rewritten as a whole can be consistent \
            in itself: to detect it, add witnesses, which are the receipts of sites (--witness SITE/data/receipts) or \
            earlier tree heads.
            """
    )

    @OptionGroup var options: AuditOptions

    @Option(
        help: ArgumentHelp(
            "A receipt, a tree head, or a directory of them, from an independent holder; may be repeated.",
            valueName: "path"
        ),
        completion: .file()
    )
    var witness: [String] = []

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        struct Finding: Encodable {
            let subject: String
            let message: String
        }
        let verified: Bool
        let entries: Int
        let updates: Int
        let rounds: Int
        let blobs: Int
        let releases: Int
        let witnesses: Int
        let findings: [Finding]
        let notes: [String]
    }

    func execute() async throws {
        let report: VerificationReport
        do {
            let copy = try options.open()
            var bar = ProgressBar("checking", unit: "blobs")
            report = try CopyVerification.run(copy, witnesses: try witness.flatMap(Witness.read)) {
                bar.update($0, of: $1)
            }
            bar.finish()
        } catch let error as AuditError where error.code == .tampered {
            // An unreadable ledger is a finding, not a failure of this program.
            report = VerificationReport(unreadable: error.message)
        }
        let output = Report(
            verified: report.isSound,
            entries: report.entries,
            updates: report.updates,
            rounds: report.rounds,
            blobs: report.blobs,
            releases: report.releases,
            witnesses: report.witnesses,
            findings: report.findings.map { .init(subject: $0.subject, message: $0.message) },
            notes: report.notes
        )
        if json.isOn { try output.printJSON() } else { show(output) }
        if !report.isSound { throw ExitStatus.tampered }
    }

    private func show(_ report: Report) {
        for finding in report.findings {
            Terminal.print("\(Terminal.styled("TAMPERED", .red))  \(finding.subject): \(finding.message)")
        }
        for note in report.notes { Terminal.print("\(Terminal.styled("note", .yellow))      \(note)") }
        let counts =
            "\(counted(report.entries, "entry", "entries")), \(counted(report.updates, "update")), "
            + "\(counted(report.rounds, "round")), \(counted(report.blobs, "blob")), "
            + counted(report.releases, "release")
            + (report.witnesses > 0 ? ", " + counted(report.witnesses, "witness", "witnesses") : "")
        Terminal.print(report.verified ? "\(Terminal.styled("verified", .green))  \(counts)" : "checked   \(counts)")
        if options.authority.ca == nil {
            Terminal.print("note      checked against the copy's own CA; name the CA that you trust with --ca")
        }
    }
}
