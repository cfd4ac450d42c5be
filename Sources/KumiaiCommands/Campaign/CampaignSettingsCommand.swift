import ArgumentParser
import Federation
import Settings

struct CampaignSettingsCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "List all keys of plan.toml: what they mean, what may be given, and the default."
    )

    @OptionGroup var listing: SettingsListing

    func execute() async throws { try listing.show(Plan.schema) }
}
