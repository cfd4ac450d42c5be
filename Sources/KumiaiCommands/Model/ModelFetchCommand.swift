import ArgumentParser

struct ModelFetchCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Fetch a registered model or a release from the coordinator, and verify it.",
        discussion: """
            For sites, operators and auditors. What arrives has the digest that the ledger's entry names, and the \
            entry is proved.

            Example:
              kumiai model fetch FY2026 --config osaka/worker.toml
            """
    )

    @OptionGroup var options: FetchOptions

    func execute() async throws { try await options.fetch(expectsRelease: false) }
}
