import Audit

/// Verifies and replays the demo's ledger as an auditor would.
struct DemoAudit {
    let layout: DemoLayout

    struct Outcome {
        let entries: Int
        let verified: Bool
        let replayIdentical: Bool
        let replayedRound: Int
    }

    func run() throws -> Outcome {
        let copy = try LedgerCopy(directory: layout.data, authority: "\(layout.authority)/ca.pem")
        let report = try CopyVerification.run(copy)
        let last = try RoundHistory(copy).rounds.last { $0.commit != nil }?.task.key.round ?? 0
        let replay = try Replay.run(copy, round: last)
        return Outcome(
            entries: report.entries,
            verified: report.isSound,
            replayIdentical: replay.isIdentical,
            replayedRound: last
        )
    }
}
