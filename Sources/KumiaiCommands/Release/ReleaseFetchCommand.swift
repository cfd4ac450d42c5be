import ArgumentParser

struct ReleaseFetchCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Fetch a release from the coordinator, and verify it.",
        discussion: """
            For sites, operators and auditors. The directory appears only when the release is complete and verified: \
            every file has the digest that the signature names, the signature is the coordinator's, and the release \
            is proved to be in the ledger. If a fetch is interrupted, run the command again: it resumes where it \
            stopped.

            Example:
              kumiai release fetch FY2027 --config osaka/worker.toml
            """
    )

    @OptionGroup var options: FetchOptions

    func execute() async throws { try await options.fetch(expectsRelease: true) }
}
