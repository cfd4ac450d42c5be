import ArgumentParser
import Audit

struct AuditOptions: ParsableArguments {
    @Argument(help: "A copy of the coordinator's data directory.", completion: .directory)
    var copy: String

    @OptionGroup var authority: AuthorityOption

    func open() throws -> LedgerCopy { try authority.open(copy) }
}

/// `--ca`, for audits.
struct AuthorityOption: ParsableArguments {
    @Option(
        help: ArgumentHelp("The CA certificate that you trust.", valueName: "ca.pem"),
        completion: .file(extensions: ["pem", "crt", "cer"])
    )
    var ca: String?

    /// A copy whose ledger was founded under another CA is not audited: a wrong `--ca` is an error, not a finding.
    func open(_ copy: String) throws -> LedgerCopy { try LedgerCopy(directory: copy, authority: ca) }
}
