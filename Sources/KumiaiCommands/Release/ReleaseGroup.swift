import ArgumentParser

struct ReleaseGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Cut, fetch, show and verify a release.",
        subcommands: [ReleaseCutCommand.self, ReleaseFetchCommand.self, ReleaseShowCommand.self]
    )
}
