import ArgumentParser
import Federation
import Settings

struct CoordinatorSettingsCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "List all keys of coordinator.toml: what they mean, what may be given, and the default."
    )

    @OptionGroup var listing: SettingsListing

    func execute() async throws { try listing.show(CoordinatorFile.schema) }
}
