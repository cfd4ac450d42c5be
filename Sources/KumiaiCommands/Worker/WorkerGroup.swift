import ArgumentParser

struct WorkerGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run a factory site's worker.",
        subcommands: [
            WorkerInitCommand.self, WorkerRunCommand.self, WorkerStatusCommand.self, WorkerDoctorCommand.self,
            WorkerAcceptLossCommand.self,
            WorkerSettingsCommand.self,
        ]
    )
}
