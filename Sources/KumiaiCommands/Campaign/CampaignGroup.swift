import ArgumentParser

struct CampaignGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "campaign",
        abstract: "Plan, open, watch and change a campaign.",
        discussion: "A campaign is a series of rounds from one base model to the next release, under one plan.",
        subcommands: [
            CampaignInitCommand.self, CampaignCheckCommand.self, CampaignOpenCommand.self, CampaignStatusCommand.self,
            CampaignAmendCommand.self,
            CampaignPauseCommand.self, CampaignResumeCommand.self, CampaignStopCommand.self,
            CampaignSettingsCommand.self,
        ]
    )
}
