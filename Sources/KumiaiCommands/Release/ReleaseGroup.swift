import ArgumentParser

struct ReleaseGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Cut a release, fetch it and look at it.",
        subcommands: [ReleaseCutCommand.self, ReleaseFetchCommand.self, ReleaseShowCommand.self]
    )
}
