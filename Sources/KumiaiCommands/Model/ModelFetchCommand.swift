import ArgumentParser

struct ModelFetchCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Fetch a registered model or a release from the coordinator, and verify it.",
        discussion: """
            For sites, operators and auditors. The command checks that the files have the digests that the ledger \
            entry names, and that the entry is in the ledger.

            Example:
              kumiai model fetch FY2026 --config osaka/worker.toml
            """
    )

    @OptionGroup var options: FetchOptions

    func execute() async throws { try await options.fetch(expectsRelease: false) }
}
