import ArgumentParser

struct PolicyGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Make a policy, look at it, measure it, tune it on this machine.",
        subcommands: [
            PolicyInitCommand.self, PolicyShowCommand.self, PolicyEvaluateCommand.self, PolicyTuneCommand.self,
        ]
    )
}
