import ArgumentParser

struct PolicyGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Make, show, evaluate and fine-tune a policy on this machine.",
        subcommands: [
            PolicyInitCommand.self, PolicyShowCommand.self, PolicyEvaluateCommand.self, PolicyTuneCommand.self,
        ]
    )
}
