import ArgumentParser

struct AuditGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Check a copy of the ledger, offline, without trusting the coordinator.",
        discussion: """
            Works on a copy of the coordinator's data directory. Name the CA that you trust with --ca. Without it, the \
            copy's own CA is used, which proves only that the copy is consistent with itself. A ledger under another \
            CA is not audited (exit code 6).

            Examples:
              kumiai audit verify copy --ca ca.pem      # exits with 3 if tampered with
              kumiai audit rounds copy
              kumiai audit replay 12 copy
              kumiai audit replay --all copy
              kumiai audit show 17 copy
            """,
        subcommands: [
            AuditVerifyCommand.self, AuditRoundsCommand.self, AuditShowCommand.self, AuditReplayCommand.self,
            AuditInitCommand.self,
        ]
    )
}
