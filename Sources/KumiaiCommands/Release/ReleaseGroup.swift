import ArgumentParser

struct ReleaseGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release", abstract: "Cut a release and look at it.", subcommands: [ReleaseCutCommand.self, ReleaseShowCommand.self])
}
