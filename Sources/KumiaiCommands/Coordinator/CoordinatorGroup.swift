import ArgumentParser

struct CoordinatorGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator",
        abstract: "Found a consortium and run its coordinator.",
        subcommands: [
            CoordinatorInitCommand.self, CoordinatorRunCommand.self, CoordinatorStatusCommand.self,
            CoordinatorPruneCommand.self,
            CoordinatorRotateCACommand.self, CoordinatorDeclareLossCommand.self, CoordinatorCorrectClockCommand.self,
            CoordinatorSettingsCommand.self,
        ]
    )
}
