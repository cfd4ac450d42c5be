import ArgumentParser
import Glibc
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

            Commands that need a configuration take --config, otherwise what KUMIAI_CONFIG names (a file, or a \
            directory that has it), otherwise operator.toml, worker.toml or coordinator.toml in the current directory.

            Exit codes:
              0    done
              1    failed
              3    an audit found tampering
              4    the coordinator cannot be reached
              5    the coordinator refused
              6    a configuration, or what an option names, is wrong or not there
              64   wrong usage
              141  the output's reader closed the pipe
            `kumiai worker status` has more, for monitoring: see its --help.

            With --json there is one JSON value on standard output, also where a command fails:
              {"error": {"code": "…", "exit": 4, "message": "…"}}
            The code is failed, tampered, unreachable, refused, configuration or usage; a hint is added \
            where there is one. JSON has no NaN and no infinity: such a number is null, and "not_finite" names it and \
            says what it is.
            """,
        version: "0.1.0",
        subcommands: [
            DemoCommand.self, CoordinatorGroup.self, WorkerGroup.self, CampaignGroup.self, ModelGroup.self,
            ReleaseGroup.self,
            AuditGroup.self, PolicyGroup.self, AdapterGroup.self, PKIGroup.self, ReadDemonstrationsCommand.self,
        ]
    )

    public init() {}

    /// What happens before anything else in the process.
    public static func prepare() {
        StandardDescriptors.openClosed()
        StandardDescriptors.ignoreSignalsOfWrites()
        StandardDescriptors.ignoreHangupOfServices(Array(CommandLine.arguments.dropFirst()))
        OpenSSLLibrary.outliveMain()
        BLASCore.restartIfWrong()
        ProcessResources.keepBuffers()
        ProcessResources.raiseDescriptorLimit()
        requireDescriptors()
    }

    /// With fewer, what speaks to the network cannot even begin, and would not say so.
    private static func requireDescriptors() {
        guard ProcessResources.descriptorLimit < ProcessResources.leastDescriptors else { return }
        Terminal.error(
            """
            this process may have \(ProcessResources.descriptorLimit) open files; expected \
            \(ProcessResources.leastDescriptors) or more
            """,
            hint: "raise the limit: ulimit -n, or LimitNOFILE in the systemd unit"
        )
        Glibc.exit(ExitStatus.failed.rawValue)
    }
}
