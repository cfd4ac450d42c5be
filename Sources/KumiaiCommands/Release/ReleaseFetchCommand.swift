import ArgumentParser

struct ReleaseFetchCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Fetch a release from the coordinator, and verify it.",
        discussion: """
            For sites, operators and auditors. The release appears when it has arrived whole: every file has the \
            digest that the signature names, the signature is the coordinator's, and the ledger's entry is proved. A \
            fetch that breaks off goes on where it was when it is begun again.

            Example:
              kumiai release fetch FY2027 --config osaka/worker.toml
            """
    )

    @OptionGroup var options: FetchOptions

    func execute() async throws { try await options.fetch(expectsRelease: true) }
}
