import ArgumentParser
import Glibc
import Identity
import LinearAlgebra
import Transport

/// `kumiai`: federated fine-tuning for a consortium whose members need not trust one another.
package struct Kumiai: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "kumiai",
        abstract: "Federated fine-tuning of robot models, for members that need not trust one another.",
        discussion: """
            Factories fine-tune one base model on their own demonstrations, on site, and send only signed updates. A \
            coordinator combines them; anyone with a copy of its ledger can check and recompute every round.

            Start with `kumiai demo`, which runs a whole consortium on this machine.

            Commands that need a configuration use --config; otherwise what KUMIAI_CONFIG names (a file, or a \
            directory that contains it); otherwise operator.toml, worker.toml or coordinator.toml in the current \
            directory.

            Exit codes:
              0    done
              1    failed
              3    an audit found tampering
              4    the coordinator cannot be reached
              5    the coordinator refused
              6    a configuration, or something that an option names, is wrong or missing
              64   wrong usage
              141  the reader of the output closed the pipe
            `kumiai worker status` has more exit codes for monitoring: see its --help.

            With --json, a command prints one JSON value on standard output. If it fails, that value is:
              {"error": {"code": "…", "exit": 4, "message": "…"}}
            The code is failed, tampered, unreachable, refused, configuration or usage. A hint is added if there is \
            one. JSON cannot represent NaN and infinity: such a number is null, and "not_finite" lists its path and \
            its value.
            """,
        version: "0.1.0",
        subcommands: [
            DemoCommand.self, CoordinatorGroup.self, WorkerGroup.self, CampaignGroup.self, ModelGroup.self,
            ReleaseGroup.self,
            AuditGroup.self, PolicyGroup.self, AdapterGroup.self, PKIGroup.self, ReadDemonstrationsCommand.self,
        ]
    )

    package init() {}

    /// Prepares the process; must run before anything else.
    package static func prepare() {
        StandardDescriptors.openClosed()
        StandardDescriptors.ignoreSignalsOfWrites()
        StandardDescriptors.ignoreHangupOfServices(Array(CommandLine.arguments.dropFirst()))
        OpenSSLLibrary.outliveMain()
        BLASCore.restartIfWrong()
        ProcessResources.keepBuffers()
        ProcessResources.raiseDescriptorLimit()
        requireDescriptors()
    }

    /// With fewer descriptors, networking fails at its start without an error message.
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
