import ArgumentParser
import Identity
import LinearAlgebra
import Transport

/// `kumiai`: federated fine-tuning for consortia that need not trust one another.
public struct Kumiai: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "kumiai",
        abstract: "Federated fine-tuning of robot models, for members that need not trust one another.",
        discussion: """
            Factories fine-tune one base model where their demonstrations are, and send only signed updates. A \
            coordinator combines them; anyone with a copy of its ledger can check and recompute every round.

            Begin with `kumiai demo`, which runs a whole consortium on this machine.

            Commands that need a configuration take --config, otherwise what KUMIAI_CONFIG names (a file, or a directory \
            that has it), otherwise operator.toml, worker.toml or coordinator.toml in the current directory.

            Exit codes:
              0   done
              1   failed
              3   an audit found tampering
              4   the coordinator cannot be reached
              5   the coordinator refused
              6   a configuration, or what an option names, is wrong
              64  wrong usage
            `kumiai worker status` has more, for monitoring: see its --help.
            """,
        version: "0.1.0",
        subcommands: [
            DemoCommand.self, CoordinatorGroup.self, WorkerGroup.self, CampaignGroup.self, ReleaseGroup.self,
            AuditGroup.self, PolicyGroup.self, AdapterGroup.self, PKIGroup.self, ReadDemonstrationsCommand.self,
        ])

    public init() {}

    /// Ends the process where the arguments name a command that there is not: the parser only says that they are unexpected.
    public static func refuseUnknownCommand(_ arguments: [String]) {
        guard let suggestion = CommandSuggestion(arguments, root: Kumiai.self) else { return }
        Terminal.error(suggestion.message, hint: suggestion.hint)
        exit(withError: ExitCode.validationFailure)
    }

    /// What happens before anything else in the process.
    public static func prepare() {
        OpenSSLLibrary.outliveMain()
        BLASCore.restartIfWrong()
        ProcessResources.keepBuffers()
        ProcessResources.raiseDescriptorLimit()
    }
}
